// Two files of one site, page by page.

/**
 * pages reads a file, of either layout, into what it says of each page.
 *
 * @param {string} text
 * @returns {Map<string, {title: string, text: string}>} by address
 */
export function pages(text) {
  const all = new Map();
  let page = null;
  let title = '';
  for (const line of text.split('\n')) {
    const heading = /^##? (.*)/.exec(line);
    const link = /^- \[(.*?)\]\((\S+)\)(?:: (.*))?$/.exec(line);
    const address = /^> (https?:\S+)$/.exec(line);
    if (heading) {
      title = heading[1];
      page = null;
    } else if (address && !page) {
      page = { title, lines: [] };
      all.set(address[1], page);
    } else if (link && !page) {
      all.set(link[2], { title: link[1], lines: [link[3] ?? ''] });
    } else if (page && line) {
      page.lines.push(line);
    }
  }
  return new Map([...all].map(([at, { title: name, lines }]) => [at, { title: name, text: lines.join('\n') }]));
}

/**
 * compare says which pages are new, gone and changed, each in its file's order.
 *
 * @param {string} before
 * @param {string} after
 */
export function compare(before, after) {
  const old = pages(before);
  const now = pages(after);
  const entry = ([address, { title }]) => ({ address, title });
  return {
    fresh: [...now].filter(([at]) => !old.has(at)).map(entry),
    gone: [...old].filter(([at]) => !now.has(at)).map(entry),
    changed: [...now].filter(([at, page]) => old.has(at) && (old.get(at).text !== page.text || old.get(at).title !== page.title))
      .map(([address, page]) => ({ address, title: page.title, before: old.get(address), after: page })),
  };
}
