"""Japanese as it was spelled before the reforms of 1946: old kanji forms, historical kana, no small っ ゃ ゅ ょ.

Texts of today turned back, so that nets and language models meet what old print says. The rules take what follows
from the modern spelling with few exceptions (Cabinet notice on the use of kana, 1946, read backwards) and leave the
rest: a word wrongly left is modern, a word wrongly turned would be nobody's.
"""

from __future__ import annotations

import re

from jphtr.jouyou import NEW_FORMS, OLD_FORMS

OLD_KANJI = str.maketrans(NEW_FORMS, OLD_FORMS)
BIG_KANA = str.maketrans("っゃゅょッャュョ", "つやゆよツヤユヨ")

_KANJI = "一-鿿々"
# stems of verbs in -ふ: 思ふ, 思はず, 思ひ, 思へば
_HA_STEMS = "思言云買会會逢合使違習笑問願追食養救洗向従從吸払拂拾争爭疑扱迷歌舞縫誘雇整繕慕狂競伴負失奪通這匂襲唱揃補償装謡賄添沿窺伺貰戦戰戯闘弔纏憂患厭嫌祝占量構交商培行賑叶請惑酔醉随拭喰囲圍覆蔽損"
_E_STEMS = (
    "考加与與教答終変變替換代抑押迎伝傳唱備蓄衰訴従從称稱仕添耐堪支捕捉数數整揃抱控"  # 考へる; not those in -ゆ, 見える
)
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), to)
    for pattern, to in (
        (r"でしょう", "でせう"), (r"ましょう", "ませう"), (r"しょう(?=[かねよぞと。、」]|$)", "せう"), (r"ちょうど", "ちやうど"),
        (r"だろう", "だらう"), (r"ろう(?=[。、とかがにし」]|$)", "らう"), (r"(?<=[てで])しまう", "しまふ"), (r"よう", "やう"),
        (r"そう(?=[だにでなしい言云])", "さう"), (r"こう(?=[いしなだ言云])", "かう"),
        (r"(?<=[てで])い(?=[るたてなれよ]|ま[すしせ])", "ゐ"), (r"くらい", "くらゐ"), (r"ぐらい", "ぐらゐ"), (r"まいる", "まゐる"),
        (r"(?<=[てで])お(?=[るりらっ])", "を"), (r"おかし", "をかし"), (r"おとこ", "をとこ"), (r"おんな", "をんな"),
        (r"いう", "いふ"), (r"もらう", "もらふ"), (r"おもう", "おもふ"), (r"つかう", "つかふ"), (r"むかう", "むかふ"), (r"ちがう", "ちがふ"), (r"いわ(?=[ゆばんれ])", "いは"), (r"いえ(?=[ばど])", "いへ"),
        (r"まえ", "まへ"), (r"さえ", "さへ"), (r"うえ", "うへ"), (r"ゆえ", "ゆゑ"), (r"(?<![聞き])こえ", "こゑ"), (r"すえ", "すゑ"),
        (r"なお(?!し|す|さ|る|り)", "なほ"), (r"とおり", "とほり"), (r"おお(?=[いきくけぜよ])", "おほ"), (r"とお(?=[いくり])", "とほ"),
        (r"かえ(?=[っりるす])", "かへ"), (r"かわ(?=[らりるいっ])", "かは"), (r"まわ(?=[らりるしす])", "まは"),
        (r"たとえ", "たとへ"), (r"あたえ", "あたへ"), (r"かんがえ", "かんがへ"),
        (r"あわれ", "あはれ"), (r"あらわ", "あらは"), (r"にわ(?=か)", "には"),
        (r"ずつ", "づつ"), (r"まず(?=[、はい])", "まづ"), (r"ついに", "つひに"), (r"たがい", "たがひ"), (r"あいだ", "あひだ"),
        (r"あじわ", "あぢは"), (r"みずから", "みづから"), (r"いず(?=れ|こ)", "いづ"), (r"わずか", "わづか"), (r"しずか", "しづか"),
        (r"めずらし", "めづらし"), (r"恥ずかし", "恥づかし"), (r"現わ", "現は"), (r"味わ", "味は"), (r"終わ", "終は"),
        (r"変わ", "変は"), (r"代わ", "代は"), (r"加わ", "加は"), (r"伝わ", "伝は"), (r"関わ", "関は"), (r"回わ", "回は"),
        (rf"(?<=[{_HA_STEMS}])う(?![{_KANJI}])", "ふ"), (rf"(?<=[{_HA_STEMS}])わ(?=[なずれせぬんば])", "は"),
        (rf"(?<=[{_HA_STEMS}])い(?=[ま、。てたなにつはがをも出込始終])", "ひ"), (rf"(?<=[{_HA_STEMS}])え(?=[ばるど])", "へ"),
        (rf"(?<=[{_E_STEMS}])え(?=[るてたなばよら、])", "へ"),
    )
)  # fmt: skip


def historical(text: str, *, kanji: bool = True) -> str:
    """A modern text in the spelling of before 1946, with the old forms of kanji unless `kanji` is False.

    Examples
    --------
    >>> historical("そう言っているのは学校の会である。")
    'さう言つてゐるのは學校の會である。'
    """
    for pattern, to in _RULES:
        text = pattern.sub(to, text)
    text = text.translate(BIG_KANA)
    return text.translate(OLD_KANJI) if kanji else text
