// What two peers of the ws package agree on about compression, and what they tell each
// other then, without a gateway and through one: window sizes and context takeover of
// both sides, messages of 16 bytes to 128 KiB, whole and in fragments. Argument: an
// address with URL in it, where the server's address goes. Prints a line for each case
// and ends with 0 when every case agreed on the same, and every message came back as
// it was sent.
const WebSocket = require('ws');

const cases = [
  ['no offer', false, {}],
  ['the server declines', {}, false],
  ['defaults', {}, {}],
];
for (let bits = 9; bits <= 15; bits++) {
  for (const [takeover, client, server] of [['both keep', false, false], ['client drops', true, false], ['server drops', false, true], ['both drop', true, true]]) {
    const options = { clientMaxWindowBits: bits, serverMaxWindowBits: bits, clientNoContextTakeover: client, serverNoContextTakeover: server };
    cases.push([`${bits} bits, ${takeover}, the client asks`, options, {}]);
    cases.push([`${bits} bits, ${takeover}, the server wants`, {}, options]);
  }
}
const sizes = [0, 1, 16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072];
const atOnce = 8;

// Text that compresses well, and bytes that do not.
const text = Buffer.from(Array.from({ length: 20000 }, (_, i) => `${(i * 7919) % 1000} messages that a relay carries between two peers`).join(' '));
const noise = require('node:crypto').randomBytes(200000);

// payload is a part of one or the other.
const payload = (size, binary, from) => (binary ? noise : text).subarray(from % 60000, (from % 60000) + size);

// fragments sends a message in n frames.
function fragments(socket, data, binary, n) {
  for (let i = 0; i < n; i++) {
    const part = data.subarray(Math.floor((i * data.length) / n), Math.floor(((i + 1) * data.length) / n));
    socket.send(part, { binary, compress: true, fin: i === n - 1 });
  }
}

const options = (o) => o && { ...o, threshold: 0 };

// talk runs a case with a message of each size, text and bytes and whole and fragmented
// in turns from turn on, and returns what was agreed on. Without an address nothing is
// in between, and nothing is said.
function talk([name, client, server], turn, address) {
  return new Promise((done, fail) => {
    const wss = new WebSocket.Server({ host: '127.0.0.1', port: 0, perMessageDeflate: options(server) });
    let echoed = 0;
    wss.on('connection', (socket) => {
      socket.on('message', (data, binary) => fragments(socket, data, binary, 1 + (echoed++ % 3)));
      socket.on('error', fail);
    });
    wss.on('listening', () => {
      const url = `ws://127.0.0.1:${wss.address().port}/`;
      const socket = new WebSocket(address ? address.replace('URL', encodeURIComponent(url)) : url, { perMessageDeflate: options(client) });
      const sent = [];
      let agreed;
      let heard = 0;
      socket.on('upgrade', (response) => (agreed = response.headers['sec-websocket-extensions'] ?? 'none'));
      socket.on('error', (err) => fail(new Error(`${name}: ${err.message}`)));
      socket.on('open', () => {
        if (!address) return socket.close(1000);
        for (const size of sizes) {
          const [binary, n] = [[false, 1], [true, 3], [false, 4], [true, 1]][turn++ % 4];
          sent.push([payload(size, binary, 997 * sent.length + 31 * turn), binary]);
          fragments(socket, sent.at(-1)[0], binary, n);
        }
      });
      socket.on('message', (data, binary) => {
        const [want, kind] = sent[heard++];
        if (binary !== kind || !want.equals(data)) fail(new Error(`${name}: message ${heard}, of ${want.length} bytes, came back as ${data.length}`));
        if (heard === sent.length) socket.close(1000);
      });
      socket.on('close', (code) => {
        wss.close();
        if (code !== 1000 || heard !== sent.length) fail(new Error(`${name}: closed with ${code} after ${heard} messages of ${sent.length}`));
        done(agreed);
      });
    });
  });
}

async function compare(c, i) {
  const [alone, through] = await Promise.all([talk(c, i), talk(c, i, process.argv[2])]);
  if (alone !== through) throw new Error(`${c[0]}: agreed on ${through}, without a gateway on ${alone}`);
  console.log(`${c[0]}: ${through}`);
}

(async () => {
  const left = cases.entries();
  const run = async () => {
    for (const [i, c] of left) await compare(c, i);
  };
  await Promise.all(Array.from({ length: atOnce }, run));
  console.log(`${cases.length} cases`);
})().catch((err) => {
  console.error(err.message);
  process.exit(1);
});
