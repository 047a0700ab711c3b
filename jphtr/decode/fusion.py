"""What a language model says of the next character of a line, weighed against the net.

Shallow fusion (Gulcehre et al. 2015, "On using monolingual corpora in neural machine translation") adds the
log-probabilities of the model, times a weight, to those of the net. What keeps it from inventing:

- Every character is paid what one costs in common text and some more, so that length costs nothing; and none costs
  more than so many nats: that a character is rare proves little against a net that sees it.
- The n-grams are one expert. The other takes all characters for alike, but that a line may stay in its script. Each is
  heard as far as it has foretold the line so far (fixed share: Herbster and Warmuth 1998, "Tracking the best expert").
  In prose the n-grams lead after a character or two; in a string of random characters they soon have little to say.
- How a comma looks is the printer's choice: the model scores ， as 、 and ． as 。.
- To the model 顏 is 顔. Whether a line is set in old type is judged from its kanji so far, by the rule of Bayes; before the first
  of those that have two forms it most probably is not.
- Digits are one class to the model, and so are letters: it knows where a number stands, not which number.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jphtr.charset import script_of
from jphtr.decode.lm import LanguageModel, State
from jphtr.lookalikes import fold_forms

WEIGHT = 0.5  # of the model; tuned on validation lines

_TRUST = 0.7  # in the n-grams at the begin of a line
_SHARE = 0.15  # of the trust that changes sides at every character, so that neither expert is ever lost
_STAY = 0.25  # of what the second expert expects is in the script of the character before
_DEAREST = 8.0  # nats that a character costs at most
_MORE = 1.0  # nats that it is paid above what one costs in common text
_SURPRISAL = 3.4  # nats a character, for models that do not say what they expect
_OLD_LINE = 0.1  # of all lines are set in old type, before one of their kanji is seen
_OLD_KANJI = (0.01, 0.9)  # of the kanji with two forms have the old one, in lines of today's type and of old
_TURN = 0.01  # of the belief that changes sides at every such kanji
_TWINS = {"，": "、", "．": "。"}
_NEW, _OLD = 1, 2  # forms of kanji that have both
_MOST = 1 << 17  # answers that are kept, some 50 MB


class Context(NamedTuple):
    """What stands before a character.

    Attributes
    ----------
    state : of the language model.
    trust : in its n-grams, 0 to 1.
    script : of the character before, a number.
    old : the probability that the line is set in old type.
    """

    state: State
    trust: float
    script: int = -1
    old: float = _OLD_LINE


class Fusion:
    """A language model that speaks the labels of a net.

    Parameters
    ----------
    lm : the model.
    chars : the net's characters by label, the blank first.
    weight : of the model's log-probabilities beside the net's; 0 silences it.

    Attributes
    ----------
    start : the context of a line's first character.
    reach : how many characters behind it a character has a say in.
    """

    def __init__(self, lm: LanguageModel, chars: Sequence[str], weight: float = WEIGHT) -> None:
        names = [_TWINS.get(char, char) for char in chars]
        tokens, shares = lm.labelled(names)
        places = {char: label for label, char in enumerate(chars)}
        today = np.array([places.get(fold_forms(char), 0) for char in chars])
        tokens = np.where(tokens, tokens, tokens[today])  # old type that the model was not taught
        old = np.flatnonzero((today > 0) & (today != np.arange(len(chars))) & (tokens > 0) & (tokens == tokens[today]))
        forms = np.zeros(len(chars), np.int64)
        forms[today[old]], forms[old] = _NEW, _OLD
        shares[forms > 0] = 0.0  # which form it is depends on the line
        self._lm, self._tokens, self._shares, self._forms = lm, tokens.tolist(), shares.tolist(), forms.tolist()
        self._weight = weight
        self._any = 1 / max(1, len(chars) - 1)
        scripts = [_script(char) for char in chars]
        sizes = Counter(scripts)
        names = list(sizes)
        self._scripts = [names.index(script) for script in scripts]
        self._same = [1 / sizes[script] for script in scripts]
        self._pay = (lm.header.surprisal or _SURPRISAL) + _MORE
        self._answers: dict[tuple[State, int], tuple[float, State]] = {}
        self.start = Context(tuple(lm.start.tolist()), _TRUST)
        self.reach = lm.order - 1

    def after(self, context: Context, label: int) -> tuple[float, Context]:
        """What a character gains a line's score, in nats, and the context of the next."""
        key = (context.state, label)
        answer = self._answers.get(key)
        if answer is None:
            log_p, state = self._lm.after(context.state, self._tokens[label])
            if len(self._answers) >= _MOST:
                self._answers.clear()
            answer = self._answers[key] = (math.exp(log_p + self._shares[label]), state)
        p, state = answer
        old, form = context.old, self._forms[label]
        if form:
            share, old = _form(old, form)
            p *= share
        script = self._scripts[label]
        blind = self._any
        if context.script >= 0:
            blind *= 1 - _STAY
            if script == context.script:
                blind += _STAY * self._same[label]
        known, blind = context.trust * p, (1 - context.trust) * blind
        both = known + blind
        gain = self._weight * (max(math.log(both), -_DEAREST) + self._pay)
        return gain, Context(state, _SHARE + (1 - 2 * _SHARE) * known / both, script, old)


def _form(old: float, form: int) -> tuple[float, float]:
    """The probability of a kanji's form in a line that is set in old type with probability `old`, and that behind it."""
    in_new, in_old = _OLD_KANJI if form == _OLD else (1 - share for share in _OLD_KANJI)
    share = (1 - old) * in_new + old * in_old
    return share, _TURN + (1 - 2 * _TURN) * old * in_old / share


def _script(char: str) -> str:
    """The script of a character as far as a line that has begun in it is likely to go on in it."""
    script = script_of(char) if char else ""
    return "kanji" if script in ("level1", "level2") else script
