"""Characters that one picture may be: those of one shape, and the forms of one kanji.

A comparison that does not hold such pairs against a reader folds both texts by these tables. Reading never does.
"""

from __future__ import annotations

from jphtr.jouyou import NEW_FORMS, OLD_FORMS

# Each group is one shape under several code points, so that only the characters around it tell which was meant; the
# first stands for all. What differs by size alone is not here (つっ, Cc): in a line that can be seen.
LOOKALIKES: tuple[str, ...] = (
    "へヘ", "べベ", "ぺペ", "ー一―−‐-–—─", "ロ口囗□", "カ力", "ニ二", "ハ八", "エ工", "タ夕", "ト卜", "ム厶", "ヒ匕", "ノ丿",
    "O0〇○◯ΟО", "oοо", "lI|丨│ΙІ", "x×χх", "・·•", "〜~∼", "…⋯", "\"“”″", "'‘’′", "《≪«", "》≫»", "〈<‹", "〉>›",
    "AΑА", "BΒВ", "EΕЕ", "ZΖ", "HΗН", "KΚК", "MΜМ", "NΝ", "PΡР", "CС", "TΤТ", "YΥ", "XΧХ", "aа", "cс", "eе", "pρр", "yу",
    "vν", "3З", "ГΓ", "ПΠ", "ФΦ",
)  # fmt: skip

# Kanji in common use beside the form that print standards, old type or names give them; the first stands for all.
_FORMS: tuple[str, ...] = (
    "高髙", "崎﨑碕", "吉𠮷", "叱𠮟", "浜濵", "柳栁", "桑桒", "橋槗", "青靑", "清淸", "剥剝", "填塡", "頬頰", "呑吞",
    "倶俱", "妍姸", "屏屛", "并幷", "痩瘦", "繋繫", "嘘噓", "掴摑", "掻搔", "祷禱", "莱萊", "蒋蔣", "蝋蠟", "醤醬", "鹸鹼", "麹麴", "騨驒",
    "昂昻", "鴎鷗", "繍繡", "頚頸", "焔焰", "噛嚙", "嚢囊", "溌潑", "箪簞", "蝉蟬", "曽曾", "麺麵", "桧檜", "尭堯", "遥遙", "瑶瑤", "渕淵",
    "籠篭", "弁辨瓣", "島嶋嶌", "峰峯", "略畧", "群羣", "回囘", "晋晉", "亀龜",
    "内內", "強强", "鋭銳", "躯軀", "説說", "税稅", "脱脫", "悦悅", "閲閱", "絶絕", "産產", "彦彥", "教敎", "戸戶", "呉吳", "娯娛", "尚尙",
    "姫姬", "餅餠", "禄祿", "録錄", "既旣", "飲飮", "査查", "冊册", "剣劔劒", "兎兔",
)  # fmt: skip


def fold_lookalikes(text: str) -> str:
    """The text with one character for each shape: 一 and ー are ー, 0 and 〇 are O; as long as before."""
    return text.translate(_LOOKALIKES)


def fold_forms(text: str) -> str:
    """The text with today's form of each kanji: 舊 is 旧, 國 is 国, 髙 is 高; as long as before."""
    return text.translate(_TODAY)


def _to_first(groups: tuple[str, ...]) -> dict[int, str]:
    return {ord(char): group[0] for group in groups for char in group[1:]}


_LOOKALIKES = _to_first(LOOKALIKES)
_TODAY = _to_first(_FORMS) | {ord(old): new for new, old in zip(NEW_FORMS, OLD_FORMS, strict=True) if old != new}
