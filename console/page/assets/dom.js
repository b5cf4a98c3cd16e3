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

/** icon draws one of the symbols of the page. It says nothing to a screen reader. */
export function icon(name) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(space, 'use');
  use.setAttribute('href', `#icon-${name}`);
  svg.append(use);
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
    field.hidden = false;
    field.value = text;
    field.select();
    field.addEventListener('blur', () => { field.hidden = true; field.value = ''; }, { once: true });
    return false;
  }
}
