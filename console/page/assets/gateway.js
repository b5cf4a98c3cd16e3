// The gateway as the page sees it: where its endpoints are, whose key is sent
// with each call, and what a refusal says.

const setting = (name) => document.querySelector(`meta[name="${name}"]`)?.content;

const base = new URL(setting('farwire-gateway') ?? './', document.baseURI);

/** version is that of the program that serves the page; it may be unknown. */
export const version = setting('farwire-version') || 'unknown';

/** address returns where an endpoint is, for a program of the person's. */
export function address(path, scheme = base.protocol) {
  const url = new URL(path, base);
  url.protocol = scheme === 'ws' ? socketScheme(url) : scheme;
  return url.href;
}

const socketScheme = (url) => (url.protocol === 'https:' ? 'wss:' : 'ws:');

/** needsKey is false where the host names its callers itself. */
export const needsKey = setting('farwire-key') !== 'none';

// The key lives here, in memory, for as long as the page is open.
let key = '';

/** useKey makes all further calls with this key; an empty string removes the key. */
export function useKey(given) {
  key = given;
}

/** credential is the part of a first message that says whose it is. */
export function credential() {
  return key ? { apiKey: key } : {};
}

/** A Refusal is an answer of the gateway's that is not the one asked for. */
export class Refusal extends Error {
  /**
   * @param {number} status of HTTP; 0 when there was no answer, or not all of one
   * @param {string} detail in the gateway's words
   * @param {number} [retryAfter] seconds
   */
  constructor(status, detail, retryAfter) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** gaveUp is why a signal ends a call when the gateway is silent and not the person stops it. */
export const gaveUp = () => new DOMException('the gateway is silent', 'TimeoutError');

/** isSilence tells whether a signal ended so. */
export const isSilence = (signal) => signal.aborted && signal.reason?.name === 'TimeoutError';

const patience = 20000; // for the head of an answer that is the gateway's own

/**
 * answers resolves to whether the gateway answers within some milliseconds, whatever it
 * answers.
 *
 * @param {number} within
 * @returns {Promise<boolean>}
 */
export async function answers(within) {
  try {
    await fetch(new URL('healthz', base), { cache: 'no-store', signal: AbortSignal.timeout(within) });
    return true;
  } catch {
    return false;
  }
}

/**
 * call makes a request and returns its answer, or throws a Refusal, also when the answer
 * does not begin within 20 seconds. When the signal ends it, the signal's own error comes
 * through.
 *
 * @param {string} path below the gateway
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
export async function call(path, init = {}) {
  const headers = new Headers(init.headers);
  if (key) headers.set('X-API-Key', key);
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), patience);
  const signal = init.signal ? AbortSignal.any([init.signal, late.signal]) : late.signal;
  let response;
  try {
    response = await fetch(new URL(path, base), { cache: 'no-store', ...init, headers, signal });
  } catch (error) {
    throw unanswered(error, init.signal);
  } finally {
    clearTimeout(timer);
  }
  if (response.ok) return response;
  throw await refusalOf(response);
}

// unanswered is what is thrown when nothing answered, or not to the end: the person
// stopped it, or the gateway is silent: then the signal ends with a TimeoutError.
function unanswered(error, signal) {
  return signal?.aborted && !isSilence(signal) ? error : new Refusal(0, '');
}

async function refusalOf(response) {
  let detail = '';
  try {
    detail = String((await response.json()).detail ?? '');
  } catch {
    // Something in front of the gateway has answered; its status must do.
  }
  const retry = parseInt(response.headers.get('Retry-After') ?? '', 10);
  return new Refusal(response.status, detail, Number.isNaN(retry) ? undefined : retry);
}

/**
 * pathOf writes a target in the path form: what stands behind the gateway's host.
 * Path and query stay as they are.
 *
 * @param {string} target http or https
 * @param {Record<string, string | number>} options geo, agent, session, …
 */
export function pathOf(target, options) {
  const [, scheme, rest] = /^(https?):\/\/[^/?#]*([^#]*)/i.exec(target);
  const list = Object.entries(options).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join(';');
  return `/to/${list || '-'}/${scheme.toLowerCase()}/${new URL(target).host}${rest.startsWith('/') ? '' : '/'}${rest}`;
}

/**
 * request sends a request through an exit and returns the target's answer, or
 * throws a Refusal when the gateway answered itself.
 *
 * @param {string} path of the path form
 * @param {RequestInit} init
 * @returns {Promise<Response>}
 */
export async function request(path, init) {
  const headers = new Headers(init.headers);
  if (key) headers.set('X-API-Key', key);
  let response;
  try {
    response = await fetch(new URL(path, base), { cache: 'no-store', ...init, headers });
  } catch (error) {
    throw unanswered(error, init.signal);
  }
  if (response.headers.get('X-Farwire-From') === 'target') return response;
  throw await refusalOf(response);
}

/**
 * passFor returns a token for one kind of session to one target, so that no key
 * stands in a program or a page, and when it ends. Who entered a token for a key
 * gets that; a caller whom the host knows without a key may get none.
 *
 * @param {string} kind
 * @param {string} target host and port
 * @returns {Promise<{token: string, ends: Date | null, narrow: boolean}>}
 */
export async function passFor(kind, target) {
  if (isToken(key)) return { token: key, ends: null, narrow: false };
  const ask = (life) => read('auth/token', {
    method: 'POST', headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ expires_in: life, allow: [target], kinds: [kind] }),
  });
  let answer;
  try {
    answer = await ask(3600);
  } catch (error) {
    if (error.status !== 400) throw error;
    answer = await ask(300); // where a revoked key is not noticed
  }
  return { token: answer.token, ends: new Date(Date.now() + 1000 * answer.expires_in), narrow: true };
}

const isToken = (text) => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text);

/**
 * read asks an endpoint for its JSON, or throws as call does, also when the answer
 * ends or stops on its way. What is no JSON is a SyntaxError.
 */
export async function read(path, init) {
  const response = await call(path, init);
  try {
    return await response.json();
  } catch (error) {
    throw error instanceof SyntaxError ? error : unanswered(error, init?.signal);
  }
}

/**
 * socket opens a WebSocket of the gateway's. A browser sets no header on one,
 * so what says whose it is must be in the query or in a first message.
 *
 * @param {string} path
 * @param {Record<string, string>} [query]
 */
export function socket(path, query = {}) {
  const url = new URL(path, base);
  url.protocol = socketScheme(url);
  url.search = new URLSearchParams(query).toString();
  const ws = new WebSocket(url);
  ws.binaryType = 'arraybuffer';
  return ws;
}

/**
 * ticket returns what a socket's query is to say: a token of five minutes,
 * because addresses are written into logs and a key should not be. Who entered
 * a token for a key uses that; it cannot be changed for another.
 *
 * @returns {Promise<Record<string, string>>}
 */
export async function ticket(signal) {
  if (!key) return {};
  if (isToken(key)) return { token: key };
  const { token } = await read('auth/token', { method: 'POST', signal });
  return { token };
}
