"""Checks that what is typed in one spelling is found in another: numbers, dates, telephone numbers and references, and words.

Usage: python -m benchmarks.spellings CORPUS.jsonl [--seed 1]      (a corpus in BEIR's layout: XQuAD's, for Arabic and Hindi)

Values are planted in passages of the corpus, one each, beside a passage with a value that differs in one digit; each is
searched for in every other spelling. Words of each script are searched for in other spellings of them. By words alone,
without a model; found means that the first hit has it.
"""

import argparse
import json
import random
import re
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

from searchkit.library import Library
from searchkit.types import SearchMode

_PER_KIND = 24  # values planted
_WORDS = 60  # of each script
_OTHERS = {
    "he": "שלום ילדים מדינה חוזה דירה שכירות מפתח רופא מרפאה "
    "תרופה חשבון בנק משכורת עבודה מנהל מכתב ספר ספריה לימודים "
    "מורה תלמיד כיתה "
    "מבחן ציון רכבת תחנה כרטיס נסיעה מטוס דרכון גבול מלון "
    "חדר ארוחה לחם חלב ביצים ירקות פירות תפוח בננה מטבח "
    "תנור מקרר כביסה חלון "
    "דלת גינה עצים פרחים כלב חתול רחוב עיר שכונה ביטוח תאונה רישיון משטרה בוקר",
    "bn": "ভাষা বাংলা হিন্দু চুক্তি বাড়ি ভাড়া চিঠি ডাক্তার "
    "ওষুধ হাসপাতাল ব্যাংক বেতন কাজ ব্যবস্থাপক বই গ্রন্থাগার "
    "শিক্ষা শিক্ষক ছাত্র শ্রেণী "
    "পরীক্ষা ফলাফল ট্রেন স্টেশন টিকিট ভ্রমণ বিমান পাসপোর্ট "
    "সীমান্ত হোটেল কক্ষ খাবার রুটি দুধ ডিম সবজি ফল আপেল "
    "কলা রান্নাঘর চুলা জানালা "
    "দরজা বাগান গাছ ফুল কুকুর বিড়াল রাস্তা শহর বীমা দুর্ঘটনা লাইসেন্স পুলিশ সকাল সন্ধ্যা রাত্রি বৃষ্টি নদী সমুদ্র",
    "ta": "மொழி தமிழ் ஒப்பந்தம் வீடு வாடகை கடிதம் மருத்துவர் "
    "மருந்து மருத்துவமனை வங்கி சம்பளம் வேலை மேலாளர் புத்தகம் "
    "நூலகம் கல்வி ஆசிரியர் "
    "மாணவர் வகுப்பு தேர்வு மதிப்பெண் தொடர்வண்டி நிலையம் "
    "பயணச்சீட்டு பயணம் விமானம் கடவுச்சீட்டு எல்லை விடுதி "
    "அறை உணவு ரொட்டி பால் முட்டை காய்கறி "
    "பழம் ஆப்பிள் வாழை சமையலறை அடுப்பு சன்னல் கதவு தோட்டம் "
    "மரம் மலர் நாய் பூனை தெரு நகரம் காப்பீடு விபத்து உரிமம் "
    "காவல்துறை காலை மாலை இரவு மழை ஆறு "
    "கடல் கோடை",
    "th": "สวัสดี ภาษาไทย สัญญา บ้านเช่า ค่าเช่า จดหมาย แพทย์ "
    "ยารักษา โรงพยาบาล ธนาคาร เงินเดือน ทำงาน ผู้จัดการ "
    "หนังสือ ห้องสมุด การศึกษา ครูใหญ่ นักเรียน "
    "ห้องเรียน สอบปลายภาค คะแนน รถไฟ สถานี ตั๋วรถ เดินทาง "
    "เครื่องบิน หนังสือเดินทาง ชายแดน โรงแรม ห้องพัก อาหาร "
    "ขนมปัง น้ำนม ไข่ไก่ ผักสด ผลไม้ แอปเปิล กล้วย "
    "ห้องครัว เตาอบ หน้าต่าง ประตู สวนหลังบ้าน ต้นไม้ ดอกไม้ "
    "สุนัข แมวดำ ถนน เมืองหลวง ประกันภัย อุบัติเหตุ ใบขับขี่ "
    "ตำรวจ ตอนเช้า กลางคืน น้ำท่วม แม่น้ำ ทะเล "
    "ฤดูร้อน กำหนดส่ง",
    "ja": "サーバー データベース プログラム インターネット ガラス窓 パスポート ホテル予約 レストラン "
    "キッチン ドア ベッド テレビ ラジオ カメラ ビデオ パソコン "
    "メール アドレス プリンター ケーブル バッテリー エンジン ブレーキ タイヤ トンネル ゴルフ "
    "テニス サッカー バレーボール プール ギター ピアノ ドラム バイオリン コンサート "
    "チケット デパート スーパー コンビニ ポスト ガソリン ボイラー ポンプ バルブ パイプ ボルト ドライバー "
    "ペンキ ブラシ バケツ 時々 人々 様々 国々 日々 少々 山々 我々 度々 数々",
}


_SIMPLIFIED = (
    "听力 租赁 房东 饭馆 丢失 电话 邮件 银行 账户 发票 垃圾处理 订单 "
    "运费 快递 医院 医生 药品 检查 保险 理赔 车辆 驾驶 铁路 机票 护照 "
    "签证 图书馆 学习 课程 考试 老师 学生 毕业 证书 简历 面试 工资 "
    "会议 记录 计划 项目 报告 数据 网络 软件 电脑 打印机 台湾 周末 "
    "里面 头发 发展 后来 面条 干燥 钟表 云雾 历史 体检 厨房"
)
_TRADITIONAL_WORDS = (
    "聽力 租賃 房東 飯館 丟失 電話 郵件 銀行 賬戶 發票 垃圾處理 訂單 "
    "運費 快遞 醫院 醫生 藥品 檢查 保險 理賠 車輛 駕駛 鐵路 機票 護照 "
    "簽證 圖書館 學習 課程 考試 老師 學生 畢業 證書 簡歷 面試 工資 "
    "會議 記錄 計劃 項目 報告 數據 網絡 軟件 電腦 打印機 臺灣 週末 "
    "裡面 頭髮 發展 後來 麵條 乾燥 鐘錶 雲霧 歷史 體檢 廚房"
)
_TRADITIONAL = dict(zip(_SIMPLIFIED.split(), _TRADITIONAL_WORDS.split(), strict=True))


def main() -> None:
    """Print how many are found, by kind."""
    options = read_options()
    passages = [json.loads(line) for line in options.corpus.read_text("utf-8").splitlines()]
    choice = random.Random(options.seed)
    print("| kind | asked | found first |\n|---|---|---|")
    total = [0, 0]
    for kind, make in _KINDS.items():
        found = _planted([one["text"] for one in passages if one["_id"].startswith("en")], make, choice)
        print(f"| {kind} | {len(found)} | {sum(found) / len(found):.3f} |", flush=True)
        total = [total[0] + len(found), total[1] + sum(found)]
    print(f"| all values | {total[0]} | {total[1] / total[0]:.3f} |", flush=True)
    for script, respell in _RESPELT.items():
        own = _SIMPLIFIED if script.startswith("zh") else _OTHERS.get(script.partition(",")[0])
        listed = own.split() if own else _words_of(passages, script, respell, choice)
        found = _words_found(listed[:_WORDS], respell)
        print(f"| words: {script} | {len(found)} | {sum(found) / len(found):.3f} |", flush=True)


def _amounts(choice: random.Random) -> tuple[list[str], list[str]]:
    number = choice.randrange(1_100, 99_999)
    other = number + choice.choice((1, 10, 100))
    return _grouped(number), _grouped(other)


def _grouped(number: int) -> list[str]:
    with_commas = f"{number:,}"
    signs = (",", ".", " ", "'", "\N{NARROW NO-BREAK SPACE}")
    return [str(number), *(with_commas.replace(",", sign) for sign in signs), with_commas.replace(",", ".") + ",00"]


def _prices(choice: random.Random) -> tuple[list[str], list[str]]:
    euros, cents = choice.randrange(1, 999), choice.randrange(1, 99)
    return ([f"{euros}{sign}{cents:02}" for sign in ",."], [f"1{euros}{sign}{cents:02}" for sign in ",."])


def _dates(choice: random.Random) -> tuple[list[str], list[str]]:
    day = date(choice.randrange(1990, 2030), choice.randrange(1, 13), choice.randrange(13, 27))
    return _dated(day), _dated(day.replace(day=day.day + 1))


def _dated(day: date) -> list[str]:
    english, german = _MONTHS[day.month - 1]
    return [
        f"{day:%Y-%m-%d}",
        f"{day.day}.{day.month}.{day.year}",
        f"{day:%d.%m.%Y}",
        f"{day:%d/%m/%Y}",
        f"{day.day} {english} {day.year}",
        f"{english} {day.day}, {day.year}",
        f"{day.day}. {german} {day.year}",
        f"{day.year}年{day.month}月{day.day}日",
    ]


_MONTHS = (
    *(("January", "Januar"), ("February", "Februar"), ("March", "März"), ("April", "April"), ("May", "Mai")),
    *(("June", "Juni"), ("July", "Juli"), ("August", "August"), ("September", "September"), ("October", "Oktober")),
    *(("November", "November"), ("December", "Dezember")),
)


def _phones(choice: random.Random) -> tuple[list[str], list[str]]:
    number = f"{choice.randrange(2_000_000, 9_999_998)}"
    return _called(number), _called(f"{int(number) + 1}")


def _called(number: str) -> list[str]:
    a, b, c = number[:3], number[3:5], number[5:]
    return [
        f"+49 30 {number}",
        f"030 {a} {b} {c}",
        f"(030) {number}",
        f"030/{a}{b}{c}",
        f"0049-30-{number}",
        f"030{number}",
    ]


def _references(choice: random.Random) -> tuple[list[str], list[str]]:
    letters = choice.choice(("RE", "HV", "SA", "KD", "BKZ"))
    year, number = choice.randrange(2001, 2030), choice.randrange(100, 998)
    return tuple(  # type: ignore[return-value]
        [sign.join((letters, str(year), str(each))) for sign in ("-", " ", "/", "", "_")]
        for each in (number, number + 1)
    )


_KINDS: dict[str, Callable[[random.Random], tuple[list[str], list[str]]]] = {
    "amounts": _amounts,
    "prices": _prices,
    "dates": _dates,
    "telephone numbers": _phones,
    "references": _references,
}


def _planted(
    texts: Sequence[str], make: Callable[[random.Random], tuple[list[str], list[str]]], choice: random.Random
) -> list[bool]:
    """Whether each value is found: planted in one spelling, the next one for each, and asked for in the others."""
    pairs = [make(choice) for _ in range(_PER_KIND)]
    documents = {}
    for number, (spellings, others) in enumerate(pairs):
        for name, values in (("right", spellings), ("wrong", others)):
            before, after = _halves(choice.choice(texts))
            documents[f"{name}{number}.txt"] = f"{before} {values[number % len(values)]} {after}"
    with Indexed(documents) as library:
        return [
            _first(library, query) == f"right{number}.txt"
            for number, (spellings, _) in enumerate(pairs)
            for query in spellings
            if query != spellings[number % len(spellings)]
        ]


def _halves(text: str) -> tuple[str, str]:
    words = text.split()[:60]
    return " ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])


def _words_of(
    passages: Sequence[dict[str, str]], script: str, respell: Callable[[str], Iterator[str]], choice: random.Random
) -> list[str]:
    """Words of the corpus in a script that can be spelt in another way."""
    every = {
        word
        for one in passages
        if one["_id"].startswith(script)
        for word in re.findall(r"[^\s\d.,;:!?()\"'،।–-]{4,}", one["text"])
    }
    fit = sorted(word for word in every if any(spelling != word for spelling in respell(word)) and not word.isascii())
    return choice.sample(fit, _WORDS)


def _words_found(listed: Sequence[str], respell: Callable[[str], Iterator[str]]) -> list[bool]:
    """Whether each word is found in its other spellings, among passages of three of the words."""
    documents = {f"{place}.txt": " ".join([*listed, *listed][place : place + 3]) for place in range(len(listed))}
    with Indexed(documents) as library:
        return [
            listed[place] in documents.get(_first(library, spelling), "").split()
            for place in range(len(listed))
            for spelling in respell(listed[place])
        ]


def _arabic(word: str) -> Iterator[str]:
    yield "".join(letter + "\N{ARABIC FATHA}" if "ب" <= letter <= "ن" else letter for letter in word)
    yield word.translate(str.maketrans("أإآىة", "اااي\N{ARABIC LETTER HEH}"))
    yield word[:1] + "ـ" + word[1:]


def _prefixed(word: str) -> Iterator[str]:
    yield from (prefix + word for prefix in ("ה", "ב", "ול", "שה", "וכשה"))


def _chinese(word: str) -> Iterator[str]:
    yield _TRADITIONAL[word]


def _hebrew(word: str) -> Iterator[str]:
    yield "".join(letter + "\N{HEBREW POINT PATAH}" for letter in word)
    yield word[:1] + "\N{HEBREW POINT SHEVA}" + word[1:]


def _hindi(word: str) -> Iterator[str]:
    yield re.sub("[नम]्(?=[क-म])", "ं", word) if re.search("न्[त-ध]|म्[प-भ]", word) else word
    yield unicodedata.normalize("NFD", word)
    yield word.replace("़", "").replace("ँ", "ं")


def _decomposed(word: str) -> Iterator[str]:
    yield unicodedata.normalize("NFD", word)
    yield word[:1] + word[1:].replace("্", "্\N{ZERO WIDTH NON-JOINER}").replace("ோ", "ே\u0bbe")


def _thai(word: str) -> Iterator[str]:
    yield re.sub("([่-๋])ำ", "ํ\\1า", word.replace("แ", "เเ"))
    yield word[:2] + "\N{ZERO WIDTH SPACE}" + word[2:]


def _japanese(word: str) -> Iterator[str]:
    """Half-width kana, hiragana, or the character repeated."""
    if "々" in word:
        yield word[0] * 2
        return
    narrow = {unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0xFF66, 0xFFA0)}
    parts = unicodedata.normalize("NFD", word).replace("\u3099", "\uff9e").replace("\u309a", "\uff9f")
    yield "".join(narrow.get(part, part) for part in parts)
    yield "".join(chr(ord(part) - 0x60) if "\u30a1" <= part <= "\u30f4" else part for part in word)


_RESPELT: dict[str, Callable[[str], Iterator[str]]] = {
    "ar": _arabic,
    "he": _hebrew,
    "he, with prefixes": _prefixed,
    "zh, traditional": _chinese,
    "hi": _hindi,
    "bn": _decomposed,
    "ta": _decomposed,
    "th": _thai,
    "ja": _japanese,
}


class Indexed:
    """A library without a model over some documents, gone at the end of the block."""

    def __init__(self, documents: dict[str, str]) -> None:
        self._documents = documents

    def __enter__(self) -> Library:
        self._place = tempfile.TemporaryDirectory()
        folder = Path(self._place.name) / "docs"
        folder.mkdir()
        for name, text in self._documents.items():
            (folder / name).write_text(text, "utf-8")
        self._opened = Library(Path(self._place.name) / "home")
        self._opened.index(folder)
        return self._opened

    def __exit__(self, *_: object) -> None:
        self._opened.close()
        self._place.cleanup()


def _first(library: Library, query: str) -> str:
    hits = library.search(query, k=1, mode=SearchMode.LEXICAL)
    return hits[0].path.name if hits else ""


def read_options() -> argparse.Namespace:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
