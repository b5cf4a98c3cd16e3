// What the gateway's refusals and close codes mean, and what to do about them:
// one table, asked from the top.

/**
 * @typedef {object} Trouble
 * @property {number} [status] of HTTP; 0 when nothing answered
 * @property {number} [code] of a close frame or an error event
 * @property {string} [text] in the gateway's words, or in a target's
 * @property {boolean} [live] whether the session had begun, so that the close may be the target's
 * @property {number} [retryAfter] seconds
 * @property {number} [waited] seconds, after which the page gave up
 * @property {boolean} [brokenOff] of an answer that began
 *
 * @typedef {{title: string, advice: string, said: string, by: string}} Explanation
 * @typedef {{when: (t: Trouble) => unknown, title: string, advice: string | ((t: Trouble) => string)}[]} Table
 */

// What the gateway itself writes into the close of a session that had begun. A target
// may close with any code and any words, and they are not to be taken for the gateway's.
const ours = {
  1000: /^idle timeout$/,
  1001: /^(the gateway is )?draining$/,
  1008: /^(ended by request|key revoked|limit reached: .+)$/,
  1011: /^internal error$/,
  1012: /^agent is going away$/,
  1013: /^(agent|target) lost$|^target stalled$/,
};

/** @type {Table} what the gateway says */
const texts = [
  // No answer.
  {
    when: (t) => t.status === 0,
    title: 'The gateway does not answer.',
    advice: 'Check that it is running and that this device is online, then try again.',
  },
  {
    when: (t) => t.waited,
    title: 'There was no answer in time.',
    advice: (t) => `The page waited ${t.waited} seconds. The gateway or the agent has stopped answering; try another agent, or again in a moment.`,
  },
  {
    when: (t) => t.brokenOff,
    title: 'The answer broke off.',
    advice: 'The target, the agent or the gateway ended it too early. What had come by then stands here.',
  },

  // Who is asking.
  {
    when: (t) => /token/i.test(t.text) && (t.status === 403 || t.code === 1008) && !/cannot be changed/.test(t.text),
    title: 'The token is not valid any more.',
    advice: 'A token lives for five minutes. Try again; if you entered a token yourself, change it for a fresh one or for your key.',
  },
  {
    when: (t) => t.status === 401 || /^(API key missing|Unauthorized)$/.test(t.text),
    title: 'The gateway wants to know whose request this is.',
    advice: 'Enter your API key with “Change key” at the top.',
  },
  {
    when: (t) => /API key invalid/.test(t.text),
    title: 'The gateway does not know this key.',
    advice: 'Look for a missing character or a space too many. A gateway that was started without keys makes a new one each time.',
  },
  {
    when: (t) => /origin not allowed/.test(t.text),
    title: 'This page may not speak for you here.',
    advice: 'Its address is not among the origins that the gateway allows. Open the console at the gateway’s own address, or have this one added.',
  },
  {
    when: (t) => /rate limit/.test(t.text) || (t.status === 429 && !t.text),
    title: 'That was faster than your key allows.',
    advice: (t) => `Wait ${t.retryAfter > 1 ? `${t.retryAfter} seconds` : 'a second'} and try again. “Network” shows what your key allows.`,
  },
  {
    when: (t) => t.status === 429 || /^limit reached/.test(t.text),
    title: 'A limit of your key has been reached.',
    advice: 'End something that is still running, or ask the operator for more.',
  },

  // Somebody else ended it.
  {
    when: (t) => /^ended by request$/.test(t.text),
    title: 'This was ended by request.',
    advice: 'You ended it, under “Network” or in another window, or the operator did. It can be started again.',
  },
  {
    when: (t) => /^key revoked$/.test(t.text),
    title: 'This key is not valid any more.',
    advice: 'The operator has taken it back. Ask for another one and enter it with “Change key” at the top.',
  },

  // The gateway itself.
  {
    when: (t) => (t.status === 503 || t.code === 1001) && /drain/.test(t.text),
    title: 'The gateway is shutting down.',
    advice: 'It takes nothing new and ends what is open. Try again in a few seconds: another gateway, or this one after its restart, will answer.',
  },
  {
    when: (t) => t.status === 503,
    title: 'The answer is 503: unavailable.',
    advice: 'A server on the way, which may be a proxy in front of the gateway, gave no better reason. Try again in a few seconds.',
  },
  {
    when: (t) => /internal error/.test(t.text) || t.status === 500,
    title: 'Something went wrong inside the gateway.',
    advice: 'Its log says what. Tell the operator the time at which it happened.',
  },
  {
    when: (t) => t.status === 413,
    title: 'That is more than one request may hold.',
    advice: 'A request has room for 64 KiB. Shorten the headers.',
  },

  // The agents.
  {
    when: (t) => /no agent is attached/.test(t.text),
    title: 'No agent fits your choice right now.',
    advice: 'Look at “Network” for those that are attached, and choose another or “Any agent”.',
  },
  {
    when: (t) => /agent lost/.test(t.text),
    title: 'The agent was lost.',
    advice: 'Its machine or its network has failed. Connect again; without a fixed agent the gateway picks another.',
  },
  {
    when: (t) => /agent is going away/.test(t.text),
    title: 'The agent was stopped on purpose.',
    advice: 'Connect again; without a fixed agent the gateway picks another.',
  },
  {
    when: (t) => /gateway (lost|is going away)/.test(t.text),
    title: 'Another gateway, which the agent is attached to, is gone.',
    advice: 'Connect again in a moment: the agent attaches to a gateway that is there.',
  },
  {
    when: (t) => /target refused|not allowed|forbidden address|private/i.test(t.text) && (t.code === 1008 || t.status === 403),
    title: 'The agent does not go to that address.',
    advice: 'It is private, local or reserved. An operator can allow such addresses for an agent with --allow-private.',
  },

  // A broker.
  {
    when: (t) => /username or password refused/.test(t.text),
    title: 'The broker refused the username or the password.',
    advice: 'Check both, and that this user may enter the virtual host.',
  },
  {
    when: (t) => /virtual host .* not found/.test(t.text),
    title: 'The broker has no such virtual host.',
    advice: 'Check its name; it is never created. Most brokers have “/”.',
  },
  {
    when: (t) => /exchange .* not found/.test(t.text),
    title: 'The broker has no such exchange.',
    advice: 'Check its name and the virtual host; an exchange is never created. “amq.topic” is on every RabbitMQ.',
  },
  {
    when: (t) => /queue .* not found/.test(t.text),
    title: 'The broker has no such queue.',
    advice: 'Check its name and the virtual host; a queue that you name is never created.',
  },
  {
    when: (t) => /is not a stream/.test(t.text),
    title: 'This queue has no offsets.',
    advice: 'Only a stream queue can be read from a place of your choice. Leave the offset empty.',
  },
  {
    when: (t) => /no permission/.test(t.text),
    title: 'The broker does not let this user read there.',
    advice: 'For a queue of the stream’s own the user needs configure, write and read on it, and read on the exchange; for one that exists, read.',
  },
  {
    when: (t) => /client certificate/.test(t.text),
    title: 'The broker asks for a client certificate.',
    advice: 'Give the one that it knows, and its key, under “More”.',
  },
  {
    when: (t) => /did you mean ssl: true/.test(t.text),
    title: 'The broker speaks TLS on this port.',
    advice: 'Tick “Encrypted (TLS)” and try again.',
  },
  {
    when: (t) => /ssl: false/.test(t.text),
    title: 'The broker does not speak TLS on this port.',
    advice: 'Untick “Encrypted (TLS)”, or use its TLS port, which is 5671 as a rule.',
  },
  {
    when: (t) => /the reader stalled/.test(t.text),
    title: 'This page read too slowly.',
    advice: 'The gateway stopped consuming the queue. Start again; a narrower routing key brings fewer messages.',
  },

  // A crawl.
  {
    when: (t) => /Invalid URL format/.test(t.text),
    title: 'That is not the address of a site.',
    advice: 'Write it with http:// or https://, such as https://docs.example.com/.',
  },
  {
    when: (t) => /Maximum pages limit reached/.test(t.text) && t.code === 1008,
    title: 'That is more pages than this gateway allows.',
    advice: 'Ask for fewer.',
  },
  {
    when: (t) => /keeps no sites/.test(t.text),
    title: 'This gateway does not keep sites up to date.',
    advice: 'It has no place to remember them. Untick “Keep this file up to date” to crawl once.',
  },
  {
    when: (t) => /robots\.txt .*unreachable/.test(t.text),
    title: 'The site’s robots.txt is unavailable.',
    advice: 'The site answers with an error, so it is not crawled. Try again later.',
  },
  {
    when: (t) => /robots\.txt/.test(t.text),
    title: 'The site asks not to be crawled.',
    advice: 'Its robots.txt forbids all of it. Ask the site’s owner.',
  },
  {
    when: (t) => /Crawl timeout exceeded/.test(t.text),
    title: 'The site was too slow.',
    advice: 'Not one page came in time. Try again later or through another agent.',
  },

  // The target.
  {
    when: (t) => /connection refused/i.test(t.text),
    title: 'Nothing listens at that address.',
    advice: 'Check the host and the port, and that the server is running.',
  },
  {
    when: (t) => /no such host/i.test(t.text),
    title: 'There is no host of that name.',
    advice: 'Check the spelling. The name is looked up where the agent is, not here.',
  },
  {
    when: (t) => /TLS|certificate/.test(t.text),
    title: 'The other side could not prove who it is.',
    advice: 'Its certificate is not valid, is for another name, or comes from an authority that the gateway does not know.',
  },
  {
    when: (t) => /timed out|timeout/i.test(t.text) && t.code !== 1000,
    title: 'The other side did not answer in time.',
    advice: 'A firewall may be dropping the connection. Check the port, or try another agent.',
  },
  {
    when: (t) => /Failed to fetch page/.test(t.text),
    title: 'The first page could not be fetched.',
    advice: 'Open the address in a browser; if it is there, the site may refuse this agent. Try another one.',
  },
  {
    when: (t) => /(target|proxy) (lost|stalled)/.test(t.text),
    title: 'The connection to the other side was lost.',
    advice: 'Connect again.',
  },
  {
    when: (t) => /proxy/.test(t.text) && t.code === 1011,
    title: 'The proxy could not be used.',
    advice: 'Check its address and its credentials.',
  },

  {
    when: (t) => t.code === 1000 && /idle timeout/.test(t.text),
    title: 'The target was silent for as long as you allow.',
    advice: 'Raise the idle timeout under “More”, or set it to 0 for none.',
  },
];

/** @type {Table} how sockets end */
const closes = [
  { when: (t) => t.code === 1000, title: 'Closed.', advice: '' },
  {
    when: (t) => t.code === 1006,
    title: 'The connection to the gateway was lost.',
    advice: 'The network or the gateway has failed. Check that the gateway is running, then connect again.',
  },
  { when: (t) => t.code === 1001, title: 'The other side has stopped.', advice: 'Connect again in a moment.' },
  { when: (t) => t.code === 1012, title: 'The other side is restarting.', advice: 'Connect again in a moment.' },
  { when: (t) => t.code === 1013, title: 'The other side has no room for this now.', advice: 'Connect again in a while.' },
  { when: (t) => t.code === 1003, title: 'The other side does not take messages of this kind.', advice: 'Send text in place of bytes, or the other way round.' },
  { when: (t) => t.code === 1005, title: 'The other side closed and gave no reason.', advice: '' },
  {
    when: (t) => t.code === 1002 || t.code === 1007,
    title: 'Something was sent that is not a valid frame.',
    advice: 'The side that sent it needs mending.',
  },
  { when: (t) => t.code === 1009, title: 'A message was too large for the other side.', advice: 'Send smaller ones.' },
  { when: (t) => t.code >= 3000, title: 'The target closed with a code of its own.', advice: 'Its documentation says what the code means.' },
  { when: (t) => t.live && t.code === 1008, title: 'The other side does not allow this.', advice: 'Its documentation says what it allows.' },
  { when: (t) => t.live && t.code === 1011, title: 'The other side has failed.', advice: 'Connect again in a moment.' },
  { when: (t) => t.code === 1008 || t.status === 400, title: 'The request cannot be served as it is.', advice: 'What the gateway said names the field; correct it and try again.' },
  { when: (t) => t.code === 1011 || t.status === 502, title: 'The other side could not be reached, or answered wrongly.', advice: 'Check the address, or try another agent.' },
  { when: (t) => t.status === 404, title: 'There is no such endpoint.', advice: 'The host that serves this page does not offer it.' },
];

/**
 * explain turns trouble into sentences. What was said stands beside them, because it
 * names the field, the host or the limit, and by whom.
 *
 * @param {Trouble} trouble
 * @returns {Explanation}
 */
export function explain(trouble) {
  const t = { ...trouble, text: trouble.text ?? '' };
  const foreign = t.live && !ours[t.code]?.test(t.text);
  const row = (foreign ? closes : [...texts, ...closes]).find(({ when }) => when(t));
  const number = t.code ?? t.status;
  const words = [t.text, number ? `(${number})` : ''].filter(Boolean).join(' ');
  const by = foreign ? 'The close frame said: ' : 'The gateway said: ';
  if (!row) return { title: 'That did not work.', advice: 'Try again in a moment.', said: words, by };
  return { title: row.title, advice: typeof row.advice === 'function' ? row.advice(t) : row.advice, said: words, by };
}
