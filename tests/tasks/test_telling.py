"""One line a file is too much for a thousand files."""

from fewmask.tasks.telling import FirstFew


def test_of_many_messages_the_first_are_told_and_the_others_counted():
    said: list[str] = []
    few = FirstFew(said.append)
    for number in range(1000):
        few.tell("Left out", f"{number}.jpg")
    few.tell("Kept", "a.png")
    few.end()
    few.end()
    assert said == ["Left out: 0.jpg", "Left out: 1.jpg", "Left out: 2.jpg", "Kept: a.png",
                    "Left out: 997 more."]  # fmt: skip
