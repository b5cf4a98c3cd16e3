// The few helpers through which all other modules touch the page. Data enters
// it as text and as attributes, never as markup.

/** find returns the element with an id, which the page is known to have. */
export function find(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no element #${id}`);
  return element;
}

/**
 * make builds an element. An attribute that is false or missing is left out,
 * one that is true stands alone; children are elements or text.
 *
 * @param {string} tag
 * @param {Record<string, string | number | boolean | null | undefined>} [attributes]
 * @param {...(Node | string)} children
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/** picture builds an element of SVG. */
export function picture(tag, attributes) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** icon draws one of the symbols of the page. It says nothing to a screen reader. */
export function icon(name) {
  const svg = picture('svg', { class: 'icon', 'aria-hidden': 'true' });
  svg.append(picture('use', { href: `#icon-${name}` }));
  return svg;
}

/** spoken is text for a screen reader alone. */
export function spoken(text) {
  return make('span', { class: 'spoken' }, text);
}

/**
 * outward returns a link to an address of others, or its text alone when it is
 * not a web address: a javascript: link would run with the person's key.
 */
export function outward(address, text = address) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return document.createTextNode(text);
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return document.createTextNode(text);
  return make('a', { href: url.href, target: '_blank', rel: 'noopener noreferrer' }, text);
}

/**
 * linked returns a text with its web addresses as links.
 *
 * @param {string} text
 * @returns {Node[]}
 */
export function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"'()[\]]+[^\s<>"'()[\].,:;!?])/).filter(Boolean)
    .map((part) => (/^https?:/.test(part) ? outward(part) : document.createTextNode(part)));
}

/** copyable makes a button copy a text, and say on itself that it did. */
export function copyable(button, text) {
  const label = button.textContent;
  let back;
  button.addEventListener('click', async () => {
    const done = await copy(text());
    button.textContent = done ? 'Copied' : 'Press Ctrl+C';
    clearTimeout(back);
    back = setTimeout(() => { button.textContent = label; }, 2000);
  });
}

// The clipboard is there over HTTPS and on localhost only. Elsewhere the text
// is selected in a field of its own, for the person to copy.
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = find('copy-by-hand');
    (document.querySelector('dialog[open]') ?? find('main')).append(field); // what is beside an open dialog takes no focus
    field.hidden = false;
    field.value = text;
    field.select();
    field.addEventListener('blur', () => { field.hidden = true; field.value = ''; }, { once: true });
    return false;
  }
}
