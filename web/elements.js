/** Making elements: of our own, and of a bot's HTML. Nothing here is ever assigned as HTML. */

/** `make('p', { class: 'a', text: 'b' }, child, …)`; null children are left out. */
export function make(name, { text, ...attributes } = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  element.append(...children.filter((child) => child !== null));
  return element;
}

const ALLOWED = new Set(
  'A B BLOCKQUOTE BR CODE DEL EM H1 H2 H3 H4 H5 H6 HR I KBD LI OL P PRE S STRONG SUB SUP TABLE TBODY TD TH THEAD TR U UL'.split(
    ' ',
  ),
);
/** What stands in these is not text to read. */
const SWALLOWED = new Set([
  'IFRAME',
  'MATH',
  'NOSCRIPT',
  'OBJECT',
  'SCRIPT',
  'STYLE',
  'SVG',
  'TEMPLATE',
  'TITLE',
]);

/**
 * A bot's HTML as elements. The server has sanitised it already; here it is parsed in a document of its own, which
 * loads and runs nothing, and only allowed elements are copied, without their attributes. Others leave their text.
 */
export function safeFragment(html) {
  const fragment = document.createDocumentFragment();
  copyChildren(new DOMParser().parseFromString(html, 'text/html').body, fragment);
  return fragment;
}

function copyChildren(from, into) {
  for (const child of from.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) into.append(child.data);
    else if (child.nodeType === Node.ELEMENT_NODE && !SWALLOWED.has(child.tagName.toUpperCase()))
      copyElement(child, into);
  }
}

function copyElement(element, into) {
  if (!ALLOWED.has(element.tagName)) return copyChildren(element, into);
  const copy = document.createElement(element.tagName);
  const address = element.getAttribute('href');
  if (element.tagName === 'A' && /^(https?:\/\/|mailto:)/i.test(address ?? '')) {
    copy.href = address;
    copy.target = '_blank';
    copy.rel = 'noopener noreferrer';
  }
  if (element.tagName === 'OL' && /^\d{1,6}$/.test(element.getAttribute('start') ?? '')) {
    copy.start = Number(element.getAttribute('start'));
  }
  copyChildren(element, copy);
  into.append(copy);
}
