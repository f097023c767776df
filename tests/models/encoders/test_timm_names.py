"""Names of timm models, with a tag of weights or without."""

import pytest

from fewmask.errors import UserError
from fewmask.models.encoders.timm_names import require_timm_model, weights_of


def test_a_name_without_a_tag_means_timms_default_weights():
    assert weights_of("resnet18").hf_hub_id == weights_of("resnet18.a1_in1k").hf_hub_id
    assert weights_of("resnet18.fb_ssl_yfcc100m_ft_in1k").tag == "fb_ssl_yfcc100m_ft_in1k"


def test_an_unknown_model_or_tag_comes_with_the_nearest():
    require_timm_model("resnet18.a1_in1k")
    with pytest.raises(UserError, match=r"no such weights of resnet18.*'resnet18\..*'"):
        require_timm_model("resnet18.any_tag")
    with pytest.raises(UserError, match=r"model.encoder=resnet1B: .*no such model.*'resnet18'"):
        require_timm_model("resnet1B")
    with pytest.raises(UserError, match=r"no such weights of resnet18.*'resnet18.a1_in1k'"):
        weights_of("resnet18.a1_in2k")
