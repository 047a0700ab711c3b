// What the page says, in English and Japanese. `data-say` names an element's text, `data-say-label` its label.

const TEXTS = {
  en: {
    language: "日本語",
    tasks: "Tasks",
    tab_read: "Read",
    tab_write: "Write",
    theme: "Light or dark",
    drop: "Drop a picture or a PDF here",
    drop_touch: "Read Japanese from a picture or a PDF",
    drop_more: "A line or a page, written or printed.",
    drop_paste: "You can also paste it.",
    drop_now: "Drop it to read it",
    choose: "Choose a file",
    photograph: "Take a photo",
    sample: "Try a sample",
    privacy: "Your file goes to this jphtr server and nowhere else. Nothing is stored.",
    privacy_saves: "Your file goes to this jphtr server and nowhere else. Only lines that you save are stored.",
    options: "How to read",
    another: "Another picture",
    layout: "Content",
    auto: "Automatic",
    layout_line: "One line",
    layout_page: "A page",
    direction: "Direction",
    horizontal: "Horizontal",
    vertical: "Vertical",
    decoder: "Decoder",
    decoder_default: "Usual",
    decoder_beam: "Beam, language model",
    decoder_greedy: "Greedy, net alone",
    ruby: "Ruby",
    ruby_keep: "Read",
    ruby_drop: "Leave out",
    weight: "Language model",
    picture: "Picture",
    boxes: "Boxes",
    zoom: "Size",
    zoom_in: "Larger",
    zoom_out: "Smaller",
    zoom_fit: "Fit",
    text: "Text",
    undo: "Undo",
    copy: "Copy",
    copied: "Copied.",
    copy_failed: "The browser does not let this page copy; select the text and copy it yourself.",
    keys: "Choose a character to see what else it could be. Arrows move, 1–8 take an alternative, Enter types, Delete removes, N goes to the next unsure one.",
    character: "Character",
    format: "Format",
    download: "Download",
    check_all: "Mark all as right",
    save: "Save for training",
    reading: "Reading …",
    cancel: "Cancel",
    waiting: "The server is busy; trying again in {seconds} s …",
    done: "{lines} lines, {chars} characters in {seconds} s.",
    done_one: "1 line, {chars} characters in {seconds} s.",
    nothing: "Nothing was read on this picture.",
    unsure: "{count} unsure",
    unsure_none: "All sure",
    next_unsure: "Next unsure character",
    page: "Page {number}",
    line: "Line {number}",
    right: "This line is right",
    edit: "Type this line",
    edit_label: "Text of line {number}",
    char_label: "{char}, {share} sure",
    char_right: "{char}, corrected",
    alternatives: "It could also be",
    no_alternatives: "No alternatives",
    other: "Something else",
    apply: "Put in",
    remove: "Remove",
    close: "Close",
    sure: "{share} sure",
    corrected: "corrected by you",
    format_kept: "Text, lines kept",
    format_pdf: "PDF, searchable",
    format_lines: "Training lines (zip)",
    check_first: "First mark the lines that are right with ✓; a corrected line is marked by itself.",
    downloaded: "{name} is in your downloads.",
    saved: "{count} lines are saved on the server.",
    saved_one: "1 line is saved on the server.",
    script: "Script",
    script_auto: "Any character",
    script_hiragana: "Hiragana",
    script_katakana: "Katakana",
    script_kanji: "Kanji",
    script_kuzushiji: "Kuzushiji",
    pad_title: "Write a character",
    pad_undo: "Undo stroke",
    pad_clear: "Clear",
    pad_label: "A field to write in with mouse, finger or pen",
    pad_keys: "With the keyboard: arrows move the pen, hold Shift to draw, Backspace undoes, Escape clears.",
    candidates: "It is",
    candidates_none: "Write something on the left.",
    candidates_unknown: "This could not be told. Write it larger.",
    by_line: "Told by the line reader, which knows every character but expects lines.",
    by_classifier: "Told by the classifier of single characters.",
    written: "Your text",
    api: "API",
    about: "jphtr {version}, model {model}",
    sample_text: "昨日、古い手紙を読みました。",
    error_0: "The server does not answer. Is it still running?",
    error_403: "This server does not accept this page.",
    error_408: "The upload took too long.",
    error_413: "This is more than the server takes on.",
    error_415: "This kind of file cannot be read. Use a picture or a PDF.",
    error_422: "This file cannot be read.",
    error_500: "The server failed.",
    error_503: "The server is busy. Try again later.",
  },
  ja: {
    language: "English",
    tasks: "作業",
    tab_read: "読む",
    tab_write: "書く",
    theme: "明るい画面・暗い画面",
    drop: "画像かPDFをここにドロップ",
    drop_touch: "画像やPDFの日本語を読みます",
    drop_more: "手書きでも印刷でも、一行でもページでも。",
    drop_paste: "貼り付けもできます。",
    drop_now: "離すと読み取ります",
    choose: "ファイルを選ぶ",
    photograph: "写真を撮る",
    sample: "見本で試す",
    privacy: "ファイルはこのjphtrサーバーだけに送られ、保存されません。",
    privacy_saves: "ファイルはこのjphtrサーバーだけに送られます。保存を選んだ行だけが残ります。",
    options: "読み方",
    another: "別の画像",
    layout: "内容",
    auto: "自動",
    layout_line: "一行",
    layout_page: "ページ",
    direction: "向き",
    horizontal: "横書き",
    vertical: "縦書き",
    decoder: "復号",
    decoder_default: "標準",
    decoder_beam: "ビーム(言語モデル)",
    decoder_greedy: "貪欲(ネットのみ)",
    ruby: "ルビ",
    ruby_keep: "読む",
    ruby_drop: "読まない",
    weight: "言語モデル",
    picture: "画像",
    boxes: "枠",
    zoom: "大きさ",
    zoom_in: "拡大",
    zoom_out: "縮小",
    zoom_fit: "合わせる",
    text: "テキスト",
    undo: "元に戻す",
    copy: "コピー",
    copied: "コピーしました。",
    copy_failed: "ブラウザーがコピーを許しません。テキストを選んでコピーしてください。",
    keys: "文字を選ぶと候補が出ます。矢印で移動、1~8で候補を採用、Enterで入力、Deleteで削除、Nで次の不確かな文字へ。",
    character: "文字",
    format: "形式",
    download: "ダウンロード",
    check_all: "全行を確認済みに",
    save: "学習用に保存",
    reading: "読み取り中…",
    cancel: "中止",
    waiting: "サーバーが混んでいます。{seconds}秒後にもう一度試します…",
    done: "{lines}行、{chars}文字({seconds}秒)",
    done_one: "1行、{chars}文字({seconds}秒)",
    nothing: "この画像からは何も読み取れませんでした。",
    unsure: "不確か {count}",
    unsure_none: "すべて確か",
    next_unsure: "次の不確かな文字へ",
    page: "{number}ページ",
    line: "{number}行目",
    right: "この行は正しい",
    edit: "この行を入力し直す",
    edit_label: "{number}行目のテキスト",
    char_label: "{char}、確度{share}",
    char_right: "{char}、訂正済み",
    alternatives: "ほかの候補",
    no_alternatives: "ほかの候補はありません",
    other: "別の文字",
    apply: "入れる",
    remove: "削除",
    close: "閉じる",
    sure: "確度{share}",
    corrected: "訂正済み",
    format_kept: "テキスト(改行を保つ)",
    format_pdf: "PDF(検索可能)",
    format_lines: "学習用の行(zip)",
    check_first: "正しい行に✓を付けてください。訂正した行には自動で付きます。",
    downloaded: "{name}をダウンロードしました。",
    saved: "{count}行をサーバーに保存しました。",
    saved_one: "1行をサーバーに保存しました。",
    script: "文字の種類",
    script_auto: "すべての文字",
    script_hiragana: "ひらがな",
    script_katakana: "カタカナ",
    script_kanji: "漢字",
    script_kuzushiji: "くずし字",
    pad_title: "一文字書く",
    pad_undo: "一画戻す",
    pad_clear: "消す",
    pad_label: "マウス、指、ペンで書く欄",
    pad_keys: "キーボードでは、矢印でペンを動かし、Shiftを押しながらで線を引き、Backspaceで一画戻し、Escapeで消します。",
    candidates: "候補",
    candidates_none: "欄に一文字書いてください。",
    candidates_unknown: "読み取れませんでした。もっと大きく書いてください。",
    by_line: "行の読み取りで判定しました。すべての文字を知っていますが、行を想定しています。",
    by_classifier: "一文字用の分類器で判定しました。",
    written: "書いたテキスト",
    api: "API",
    about: "jphtr {version}、モデル {model}",
    sample_text: "昨日、古い手紙を読みました。",
    error_0: "サーバーが応答しません。動いているか確かめてください。",
    error_403: "このサーバーはこのページを受け付けません。",
    error_408: "送信に時間がかかりすぎました。",
    error_413: "サーバーの上限を超えています。",
    error_415: "この種類のファイルは読めません。画像かPDFを使ってください。",
    error_422: "このファイルは読み取れません。",
    error_500: "サーバーで問題が起きました。",
    error_503: "サーバーが混んでいます。しばらくしてからお試しください。",
  },
};

let language = "en";

/** The text called `key`, with `{name}` replaced by values. */
export function say(key, values = {}) {
  const text = TEXTS[language][key] ?? TEXTS.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** A probability in percent, never rounded to certainty or to nothing. */
export function shareOf(p) {
  if (p < 0.01) return "<1 %";
  return p > 0.99 ? ">99 %" : `${Math.round(p * 100)} %`;
}

/** The language of the browser, or that of the last visit. */
export function usualLanguage() {
  return remembered("language") ?? (navigator.languages.find((one) => /^(ja|en)\b/.test(one)) ?? "en").slice(0, 2);
}

/** Speak `wanted`, everywhere on the page at once. */
export function setLanguage(wanted) {
  language = wanted in TEXTS ? wanted : "en";
  remember("language", language);
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
  for (const element of document.querySelectorAll("[data-say-label]")) {
    element.setAttribute("aria-label", say(element.dataset.sayLabel));
    if (element.matches("button")) element.title = say(element.dataset.sayLabel);
  }
  document.dispatchEvent(new Event("language"));
}

export const currentLanguage = () => language;

/** A choice of the last visit; browsers may forbid it. */
export function remembered(key) {
  try {
    return localStorage.getItem(`jphtr-${key}`);
  } catch {
    return null;
  }
}

export function remember(key, value) {
  try {
    localStorage.setItem(`jphtr-${key}`, value);
  } catch {
    // then it lasts until the page is left
  }
}
