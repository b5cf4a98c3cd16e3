// A try of one agent: a relay to the echo that each agent has in itself, with the
// time that the way there and back takes.

import { credential, socket } from './gateway.js';

const patience = 20; // seconds, for all of a try

/**
 * tryThrough resolves to milliseconds, or rejects with the trouble. It takes 20
 * seconds at most.
 *
 * @param {string} slug
 * @returns {Promise<{connect: number, echo: number}>}
 */
export function tryThrough(slug) {
  return new Promise((resolve, reject) => {
    const ws = socket('ws');
    let refusal = '';
    let begun = 0;
    let connected = 0;
    const late = setTimeout(() => {
      reject({ waited: patience });
      ws.close();
    }, 1000 * patience);
    ws.addEventListener('open', () => {
      begun = performance.now();
      ws.send(JSON.stringify({ ...credential(), url: 'ws://echo.farwire.alt', agent: slug }));
    });
    ws.addEventListener('message', ({ data }) => {
      if (connected) {
        resolve({ connect: connected - begun, echo: performance.now() - connected });
        ws.close(1000);
        return;
      }
      const answer = JSON.parse(data);
      if (answer.type === 'error') {
        refusal = answer.message;
        return;
      }
      connected = performance.now();
      ws.send('farwire');
    });
    ws.addEventListener('close', ({ code, reason }) => {
      clearTimeout(late);
      reject({ code, text: refusal || reason }); // after resolve it changes nothing
    });
  });
}
