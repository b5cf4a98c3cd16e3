// Four feeds of JSON that a server of the ws package sends compressed, and the bytes
// that they take on the client's and on the target's side: of a plain server, of one
// that compresses, and of that one through each address that is given. Arguments: the
// addresses as JSON, by name; a URL with URL in it is the direct form, a list of the
// address and the connect message is the message form.
const WebSocket = require('ws');

let seed = 1;
const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
const below = (n) => Math.floor(random() * n);
const round = (x, digits) => Number(x.toFixed(digits));
const list = (n, make) => Array.from({ length: n }, (_, i) => make(i));
const clubs = ['Ajax', 'Arsenal', 'Barcelona', 'Benfica', 'Celtic', 'Chelsea', 'Inter', 'Porto', 'Rapid Wien', 'Sturm Graz'];

const feeds = {
  // Odds of a bookmaker, some 330 bytes.
  odds: [500, (i) => ({
    type: 'odds', event: 19450000 + below(300), sport: 'soccer', league: 'UEFA Champions League', home: clubs[below(10)], away: clubs[below(10)],
    market: ['1x2', 'total', 'both score'][below(3)], bookmaker: ['first', 'second', 'third'][below(3)],
    selections: ['home', 'draw', 'away'].map((name) => ({ name, price: round(1 + 8 * random(), 2), status: random() < 0.05 ? 'suspended' : 'open' })),
    time: 1764290000000 + 40 * i + below(30),
  })],
  // Trades of an exchange, some 130 bytes.
  trades: [500, (i) => ({
    e: 'trade', E: 1764290000000 + 13 * i, s: 'BTCUSDT', t: 3000000000 + i, p: (67000 + 50 * random()).toFixed(2), q: (2 * random()).toFixed(5),
    T: 1764290000000 + 13 * i - 2, m: random() < 0.5, M: true,
  })],
  // Tickers of all that an exchange trades, some 22 KB.
  tickers: [20, (i) => list(150, (k) => ({
    e: '24hrMiniTicker', E: 1764290000000 + 1000 * i, s: `${String.fromCharCode(65 + (k % 26), 65 + ((7 * k) % 26))}${k}USDT`,
    ...Object.fromEntries(['c', 'o', 'h', 'l'].map((name) => [name, (1000 * random()).toFixed(4)])), v: (1e6 * random()).toFixed(2), q: (1e8 * random()).toFixed(2),
  }))],
  // An order book, some 1 KB.
  book: [200, (i) => ({
    channel: 'book', type: 'update',
    data: [{
      symbol: 'BTC/USD', bids: list(20, (k) => [(67000 - 0.5 * k + random()).toFixed(2), (3 * random()).toFixed(5)]),
      asks: list(20, (k) => [(67010 + 0.5 * k + random()).toFixed(2), (3 * random()).toFixed(5)]), checksum: below(4e9), time: new Date(1764290000000 + 100 * i).toISOString(),
    }],
  })],
};

// transfer has a server send the messages to a client and returns the bytes on both
// sides, from the first message on.
function transfer(messages, compress, address) {
  return new Promise((done, fail) => {
    const server = new WebSocket.Server({ host: '127.0.0.1', port: 0, perMessageDeflate: compress && { threshold: 0 } });
    let written;
    server.on('connection', (socket, request) =>
      socket.once('message', () => {
        const before = request.socket.bytesWritten;
        for (const message of messages) socket.send(message);
        socket.send('end', () => (written = () => request.socket.bytesWritten - before));
      }),
    );
    server.on('listening', () => {
      const url = `ws://127.0.0.1:${server.address().port}/`;
      const [to, connect] = Array.isArray(address) ? address : [(address ?? 'URL').replace('URL', address ? encodeURIComponent(url) : url)];
      const client = new WebSocket(to);
      let received = 0;
      let before;
      const go = () => {
        before = client._socket.bytesRead;
        client.send('go');
      };
      client.on('error', fail);
      client.on('open', () => (connect ? client.send(connect.replace('URL', url)) : go()));
      client.on('message', (data) => {
        if (before === undefined) {
          if (JSON.parse(data).type !== 'connected') fail(new Error(String(data)));
          return go();
        }
        if (data.length > 3) return received++;
        if (received !== messages.length) fail(new Error(`${received} messages of ${messages.length}`));
        done({ client: client._socket.bytesRead - before, target: written() });
        client.terminate();
        server.close();
      });
    });
  });
}

(async () => {
  const ways = JSON.parse(process.argv[2]);
  for (const [feed, [count, make]] of Object.entries(feeds)) {
    const messages = list(count, (i) => JSON.stringify(make(i)));
    const row = { feed, count, bytes: messages.reduce((sum, m) => sum + m.length, 0), plain: await transfer(messages, false), direct: await transfer(messages, true), ways: {} };
    for (const [name, address] of Object.entries(ways)) row.ways[name] = await transfer(messages, true, address);
    console.log(JSON.stringify(row));
  }
  process.exit(0);
})();
