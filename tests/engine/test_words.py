"""Heard words in any script: where a text is cut, and how long it takes to say."""

from __future__ import annotations

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from llcphone.engine.parts.history import LONGEST_TEXT, Line
from llcphone.engine.resumed import Speaker
from llcphone.engine.words import Sign, cut_words, letters, masked, said_within, sign_of

JAPANESE = "はい、明日の午後六時に二名様でご予約を承りました。お待ちしております。お気をつけて。"
CHINESE = "好的，您明天晚上六点两位的座位已经预订好了，期待您的光临。"
THAI = "จองโต๊ะสำหรับสองท่านเรียบร้อยแล้วค่ะ ขอบคุณที่โทรมาหาเราวันนี้นะคะ"
KHMER = "តុសម្រាប់មនុស្សពីរនាក់ត្រូវបានកក់ទុករួចហើយ។ សូមអរគុណ។"
BURMESE = "လူနှစ်ယောက်အတွက်စားပွဲကိုကြိုတင်မှာယူပြီးပါပြီ။ ကျေးဇူးတင်ပါတယ်။"
KOREAN = "내일 저녁 여섯 시에 두 분 예약해 드렸습니다. 감사합니다."
FRENCH = "Votre\u00a0table\u00a0pour\u00a0deux\u00a0personnes\u00a0est\u00a0réservée\u202fpour\u2007demain."
LINES = "Your table\nfor two\nis booked\tfor tomorrow\u3000at six."
ARABIC = "تم حجز طاولة لشخصين غدا في السادسة، شكرا لاتصالكم."
HINDI = "आपके लिए दो लोगों की मेज़ कल शाम छह बजे के लिए बुक हो गई है।"
ENGLISH = "Your table for two is booked for tomorrow at six o'clock."
MIXED = "OK、ご予約は Table 5 で承りました。Thank you!"
SCRIPTS = {
    "japanese": JAPANESE,
    "chinese": CHINESE,
    "thai": THAI,
    "khmer": KHMER,
    "burmese": BURMESE,
    "korean": KOREAN,
    "french": FRENCH,
    "lines": LINES,
    "arabic": ARABIC,
    "hindi": HINDI,
    "english": ENGLISH,
    "mixed": MIXED,
}
every_script = pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)


def english_cut(text: str, end: int) -> str:
    """How English was always cut."""
    if end <= 0:
        return ""
    if end < len(text) and not text[end].isspace():
        end = text.rfind(" ", 0, end) + 1
    return text[:end].rstrip()


def ends_of_elements(text: str) -> set[int]:
    """Where Unicode's own rules let a text element end."""
    return {match.end() for match in regex.finditer(r"\X", text)}


@every_script
def test_at_six_tenths_of_the_audio_about_as_much_of_the_text_was_heard(text: str) -> None:
    cut = cut_words(text, len(text) * 6 // 10)
    assert text.startswith(cut)
    assert 0.45 <= len(cut) / len(text) <= 0.6
    line = Line("i1", Speaker.AGENT, 0, text, generated_ms=10_000, heard_ms=6_000)
    assert line.heard_text() == cut


@pytest.mark.parametrize("text", [JAPANESE, CHINESE, THAI], ids=["japanese", "chinese", "thai"])
def test_without_spaces_no_more_than_half_a_second_is_lost(text: str) -> None:
    for end in range(len(text) + 1):
        assert end - len(cut_words(text, end)) <= 5


@every_script
def test_a_text_that_was_heard_to_its_end_is_whole_and_one_of_which_nothing_was_heard_is_empty(
    text: str,
) -> None:
    assert cut_words(text, len(text)) == cut_words(text, 10**9) == text
    assert cut_words(text, 0) == cut_words(text, -1) == ""


@given(st.text(st.sampled_from("ab ,.-'é?1")), st.integers(-1, 60))
def test_english_is_cut_as_ever(text: str, end: int) -> None:
    assert cut_words(text, end) == english_cut(text, end)


def test_a_cut_is_best_behind_a_pause_of_the_script() -> None:
    assert cut_words("はい、承りました。お待ち", 9) == "はい、承りました。"
    assert cut_words("はい、承りました。お待ち", 11) == "はい、承りました。"
    assert cut_words("はい、承りました", 7) == "はい、承りまし"  # none is near
    assert cut_words("好的，期待", 4) == "好的，"
    assert cut_words("お席は「窓側」です", 4) == "お席は"  # no bracket is left open
    assert cut_words("ขอบคุณค่ะ เราจะ", 12) == "ขอบคุณค่ะ"


FAMILY = "👨\u200d👩\u200d👧"


@pytest.mark.parametrize(
    "cluster",
    [
        FAMILY,
        "👍🏽",
        "🇯🇵",
        "🏴\U000e0067\U000e0062\U000e007f",
        "か\u3099",
        "กำ",
        "แม่",
        "葛\U000e0100",
        "1\ufe0f\u20e3",
        "é",
        "\ud83d\ude00",
    ],
    ids=ascii,
)
def test_no_cut_falls_inside_a_text_element(cluster: str) -> None:
    text = f"予約{cluster}予約"
    for end in range(len(text)):
        cut = cut_words(text, end)
        assert len(cut) <= 2 or len(cut) >= 2 + len(cluster), cut


texts = st.text(
    st.one_of(
        st.characters(), st.sampled_from("".join(SCRIPTS.values()) + FAMILY + "\u3099\u200d\ufe0f🇯👍🏽 ")
    )
)


@given(texts, st.integers(0, 60))
@example("漢\u200d漢", 2)
def test_every_cut_is_a_prefix_that_ends_where_a_text_element_does(text: str, end: int) -> None:
    cut = cut_words(text, end)
    assert text.startswith(cut)
    assert len(cut) <= max(0, end)
    assert (
        not cut
        or len(cut) == min(end, len(text.rstrip())) == len(text.rstrip())
        or len(cut) in ends_of_elements(text)
    )


@given(texts, texts)
def test_a_mask_says_nothing_but_the_kind_and_masks_join(one: str, other: str) -> None:
    assert masked(one + other) == masked(one) + masked(other)
    assert masked(masked(one)) == masked(one)
    assert [sign_of(each) for each in masked(one)] == [sign_of(each) for each in one]
    assert {each for each in masked(one) if not each.isspace() and each != "\u200b"} <= {
        sign.mask for sign in Sign
    }


@given(texts, st.floats(0, 100))
def test_what_is_said_within_a_time_takes_no_longer(text: str, count: float) -> None:
    at = said_within(text, count)
    assert letters(text[:at]) <= count + 1e-6
    assert at == len(text) or letters(text[: at + 1]) > count - 1e-6
    assert said_within(text, letters(text) + 1e-6) == len(text)


def test_scripts_take_their_time() -> None:
    assert letters(ENGLISH) == len(ENGLISH)
    for text, seconds in ((JAPANESE, 6.0), (CHINESE, 6.0), (KOREAN, 4.0)):
        assert 0.6 <= letters(text) / 18 / seconds <= 1.4


def test_a_line_is_kept_up_to_a_length_however_it_comes() -> None:
    line = Line("i", Speaker.AGENT, 0)
    line.text = "word " * 600_000
    assert len(line.text) == LONGEST_TEXT
    line.text += "more"
    assert line.text == ("word " * 600_000)[:LONGEST_TEXT]
