"""The encoding of text that names none is told by what it says."""

# ruff: noqa: RUF001 - the texts are in the signs of their scripts

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.formats.plain import checked, decode, find_encoding

POLISH = "Spółka ogłosiła wyniki; sprzedaż w Łodzi i Gdańsku przewyższyła oczekiwania zarządu."
CZECH = "Společnost oznámila výsledky; tržby vzrostly a prodej v Brně předčil očekávání. Žádný dluh."
HUNGARIAN = (
    "A társaság közzétette eredményeit: az árbevétel nőtt, a győri értékesítés felülmúlta a várakozást."
)
GERMAN = (
    "Die Geschäftsführung betonte, dass die Verkäufe in München „über“ den Erwartungen lägen. Größe: 5 €."
)
FRENCH = "La société a publié ses résultats : le bénéfice net était supérieur à celui de l’année précédente."
TURKISH = (
    "Şirket sonuçlarını açıkladı: gelirler arttı, satışlar beklentileri aştı. Işıklar söndü, çocuklar güldü."
)
LITHUANIAN = "Bendrovė paskelbė trečiojo ketvirčio rezultatus: pajamos išaugo, pardavimai viršijo lūkesčius."
RUSSIAN = "Компания опубликовала результаты за третий квартал: выручка выросла, прибыль оказалась выше."
UKRAINIAN = "Компанія оприлюднила результати: виручка зросла, а чистий прибуток виявився вищим. Їжак."
GREEK = "Η εταιρεία δημοσίευσε τα αποτελέσματα του τρίτου τριμήνου: τα έσοδα αυξήθηκαν κατά πολύ."
HEBREW = "החברה פרסמה את תוצאות הרבעון השלישי: ההכנסות עלו והרווח הנקי היה גבוה יותר מאשר לפני שנה."
ARABIC = "نشرت الشركة نتائج الربع الثالث: ارتفعت الإيرادات وكان صافي الربح أعلى مما كان عليه قبل عام."
THAI = "บริษัทได้ประกาศผลประกอบการไตรมาสที่สาม รายได้เพิ่มขึ้นร้อยละเก้า และกำไรสุทธิสูงกว่าปีก่อน"
JAPANESE = "会社は第三四半期の業績を発表した。売上高は増加し、純利益は前年を上回った。カタカナもあります。"
CHINESE = "公司公布了第三季度业绩：收入增长百分之九，净利润高于去年同期。管理层强调，销售额超出了预期。"
TAIWANESE = "公司公布了第三季度業績：收入增長百分之九，淨利潤高於去年同期。管理層強調，銷售額超出了預期。"
KOREAN = "회사는 3분기 실적을 발표했다. 매출은 증가했고 순이익은 작년보다 높았다. 판매가 기대를 넘어섰다."

TEXTS = [
    (POLISH, "cp1250"),
    (POLISH, "iso8859-2"),
    (CZECH, "cp1250"),
    (CZECH, "iso8859-2"),
    (HUNGARIAN, "cp1250"),
    (GERMAN, "cp1252"),
    (GERMAN.replace("„", "").replace("“", "").replace("€", ""), "cp850"),
    (FRENCH, "cp1252"),
    (FRENCH, "mac-roman"),
    (TURKISH, "cp1254"),
    (LITHUANIAN, "cp1257"),
    (RUSSIAN, "cp1251"),
    (RUSSIAN, "koi8-r"),
    (RUSSIAN, "cp866"),
    (UKRAINIAN, "cp1251"),
    (UKRAINIAN, "koi8-u"),
    (GREEK, "cp1253"),
    (HEBREW, "cp1255"),
    (ARABIC, "cp1256"),
    (THAI, "cp874"),
    (JAPANESE, "cp932"),
    (JAPANESE, "euc-jp"),
    (JAPANESE, "iso2022-jp"),
    (CHINESE, "gb18030"),
    (TAIWANESE, "big5"),
    (KOREAN, "cp949"),
]
IDS = [f"{codec}-{text[:9]}" for text, codec in TEXTS]


def read(path: Path, data: bytes) -> tuple[str, list[str]]:
    path.write_bytes(data)
    encoding = find_encoding(path)
    return "".join(decode(path, encoding)), [notice.code for notice in encoding.notices()]


@pytest.mark.parametrize(("text", "codec"), TEXTS, ids=IDS)
def test_a_short_text_is_told(tmp_path: Path, text: str, codec: str) -> None:
    assert read(tmp_path / "a", text.encode(codec)) == (text, ["encoding_guessed"])


@pytest.mark.parametrize(("text", "codec"), TEXTS, ids=IDS)
def test_it_is_told_wherever_it_stands(tmp_path: Path, text: str, codec: str) -> None:
    rows = "id;name;amount\n12;plain;3,50\n"
    made = rows * (2_000 if codec == "iso2022-jp" else 30_000) + f"{text}\n" * 50 + rows * 5_000
    assert read(tmp_path / "a", made.encode(codec)) == (made, ["encoding_guessed"])


def test_a_text_without_line_ends_is_told(tmp_path: Path) -> None:
    assert read(tmp_path / "a", (JAPANESE * 3_000).encode("cp932"))[0] == JAPANESE * 3_000


def test_a_cut_off_last_character_does_not_mislead(tmp_path: Path) -> None:
    text, told = read(tmp_path / "a", CHINESE.encode("gb18030")[:-1])
    assert text.startswith(CHINESE[:-1])
    assert told == ["encoding_guessed", "undecodable_bytes"]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x1b$B~~\x1b(Bend", "\ufffd\ufffdend"),
        (b"\x1b$BF|!\x1b(Bend", "日\ufffdend"),
        (b"\x1b$BF|\x1b(Bend\x1b(", "日end\ufffd("),
        (b"\x1b$BF|\x1b(Bend\x1b(Z", "日end\ufffd(Z"),
    ],
    ids=["no letters", "half a letter", "cut off", "unknown shift"],
)
def test_broken_letters_of_a_shifted_text_are_replaced(tmp_path: Path, data: bytes, text: str) -> None:
    assert read(tmp_path / "a.txt", data) == (text, ["encoding_guessed", "undecodable_bytes"])


@pytest.mark.parametrize("codec", ["iso2022_jp", "iso2022_jp_2", "iso2022_kr"])
def test_a_shift_lasts_over_lines(tmp_path: Path, codec: str) -> None:
    text = (KOREAN if codec == "iso2022_kr" else JAPANESE) * 40
    (tmp_path / "a.txt").write_bytes(text.encode(codec))
    encoding = checked(tmp_path / "a.txt", codec)
    assert ("".join(decode(tmp_path / "a.txt", encoding)), encoding.undecodable) == (text, 0)
    (tmp_path / "b.txt").write_bytes(b"\x1b$BF|\nK\\\x1b(Bend")
    assert "".join(decode(tmp_path / "b.txt", checked(tmp_path / "b.txt", "iso2022_jp"))) == "日\n本end"


STARTS = (b"", b"\x1b$B", b"\x1b$B\x1b(", b"\xff\xfe", b"\xef\xbb\xbf", b"caf\xe9 ")


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(STARTS))
def test_any_bytes_become_text(tmp_path_factory: pytest.TempPathFactory, data: bytes, start: bytes) -> None:
    text, _ = read(tmp_path_factory.getbasetemp() / "any", start + data)
    text.encode()
