// Server-sent events (the HTML standard, section 9.2.6) from the body of a
// fetch. The browser's own EventSource cannot send a POST, and connects again
// by itself, which would be a new queue.

/**
 * @typedef {{type: string, data: string, id: string}} Event
 */

/**
 * parser returns a function that takes the stream's text piece by piece and
 * returns the events that each piece completes. Pieces may be cut anywhere.
 *
 * @returns {(piece: string) => Event[]}
 */
export function parser() {
  let rest = []; // pieces of a line whose end has not come
  let start = true; // nothing has come yet, so a byte order mark may
  let pendingCR = false; // the piece before ended in CR: an LF now belongs to it
  let type = '';
  let data = [];
  let id = '';

  function line(text, events) {
    if (text === '') {
      if (data.length) events.push({ type: type || 'message', data: data.join('\n'), id });
      type = '';
      data = [];
      return;
    }
    const colon = text.indexOf(':');
    if (colon === 0) return; // a comment, which keeps the connection alive
    const field = colon < 0 ? text : text.slice(0, colon);
    let value = colon < 0 ? '' : text.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    if (field === 'event') type = value;
    else if (field === 'data') data.push(value);
    else if (field === 'id' && !value.includes('\0')) id = value;
  }

  return (piece) => {
    const events = [];
    if (piece === '') return events;
    if (start && piece.startsWith('\uFEFF')) piece = piece.slice(1);
    start = false;
    let from = pendingCR && piece.startsWith('\n') ? 1 : 0;
    pendingCR = piece.endsWith('\r');
    const ends = /\r\n|\n|\r/g;
    ends.lastIndex = from;
    for (let end = ends.exec(piece); end; end = ends.exec(piece)) {
      rest.push(piece.slice(from, end.index));
      line(rest.join(''), events);
      rest = [];
      from = ends.lastIndex;
    }
    if (from < piece.length) rest.push(piece.slice(from));
    return events;
  };
}

/**
 * events yields the events of a response until it ends. What stands behind the
 * last blank line is no event. Leaving the loop early ends the request.
 *
 * @param {Response} response
 * @returns {AsyncGenerator<Event>}
 */
export async function* events(response) {
  const parse = parser();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true }); // the parser sees to it
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      yield* parse(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => {}); // it may have failed already, and its reader knows
  }
}
