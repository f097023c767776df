"""How messages name one or a few of many words."""

from fewmask.errors import did_you_mean, listed, nearest


def test_of_many_things_the_first_are_named():
    assert listed(range(3)) == "0, 1, 2"
    assert listed(range(300), 2) == "0, 1 ... (300 in all)"


def test_the_nearest_word_in_any_case_or_none():
    assert nearest("UNET", ["Unet", "FPN"]) == "Unet"
    assert nearest("x", ["unet", "fpn"]) is None


def test_known_words_are_never_listed_by_the_thousand():
    assert did_you_mean("UNET", ["unet", "fpn"]) == "Did you mean 'unet'?"
    assert did_you_mean("x", ["unet", "fpn"]) == "Known: fpn, unet."
    many = [f"swin_{i}_of_a_long_name" for i in range(1000)] + ["other", "pvt_v2_b0"]
    found = did_you_mean("swin", many)
    assert found.startswith("Names that begin so: swin_0_") and found.endswith("(1000 in all).")
    assert did_you_mean("_7_OF", many).startswith("The nearest of 1002 known ones: swin_7_of")
    assert did_you_mean("mit_b0", many).startswith("The nearest of 1002 known ones: pvt_v2_b0, ")
    assert max(len(did_you_mean(word, many)) for word in ("swin", "mit_b0", "zzz", "")) < 250
