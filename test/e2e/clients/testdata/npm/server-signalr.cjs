// A SignalR server: negotiation and the three transports of the transport protocol,
// and the JSON hub protocol. /hub offers all transports, /hub-sse and /hub-polling
// the later ones alone. Who has no affinity cookie is at the wrong server.
const { WebSocketServer } = require('ws');

const transports = [
  { transport: 'WebSockets', transferFormats: ['Text', 'Binary'] },
  { transport: 'ServerSentEvents', transferFormats: ['Text'] },
  { transport: 'LongPolling', transferFormats: ['Text', 'Binary'] },
];
const offers = { '/hub': transports, '/hub-sse': transports.slice(1), '/hub-polling': transports.slice(2) };
const separator = '\x1e';

// A connection answers a client by whatever transport send is.
class Connection {
  waiting = '';
  send = null;

  write(message) {
    this.waiting += JSON.stringify(message) + separator;
    this.flush();
  }

  flush() {
    if (!this.waiting || !this.send) return;
    const text = this.waiting;
    this.waiting = '';
    this.send(text);
  }

  read(text) {
    for (const part of text.split(separator).filter(Boolean)) {
      const m = JSON.parse(part);
      if (m.protocol) {
        this.write({});
        this.timer = setInterval(() => this.write({ type: 1, target: 'tick', arguments: [] }), 100);
      }
      if (m.type === 1) this.write({ type: 3, invocationId: m.invocationId, result: m.arguments[0] * 2 });
      if (m.type === 4) {
        for (let item = 1; item <= m.arguments[0]; item++) this.write({ type: 2, invocationId: m.invocationId, item });
        this.write({ type: 3, invocationId: m.invocationId });
      }
      if (m.type === 6) this.write({ type: 6 });
    }
  }

  end() {
    clearInterval(this.timer);
  }
}

module.exports = (server) => {
  const connections = new Map();
  const find = (req) => {
    const url = new URL(req.url, 'http://signalr');
    if (!/(^|; )affinity=here(;|$)/.test(req.headers.cookie ?? '')) return {};
    return { url, connection: connections.get(url.searchParams.get('id')) };
  };

  server.on('request', (req, res) => {
    const path = new URL(req.url, 'http://signalr').pathname;
    const offered = offers[path.replace(/\/negotiate$/, '')];
    const answer = (status, body = '') => res.writeHead(status).end(body);
    if (!offered) return answer(404);
    if (path.endsWith('/negotiate') && req.method === 'POST') {
      const connectionToken = `token-${connections.size + 1}`;
      connections.set(connectionToken, new Connection());
      res.setHeader('Set-Cookie', 'affinity=here; Path=/');
      res.setHeader('Content-Type', 'application/json');
      return answer(200, JSON.stringify({
        negotiateVersion: 1, connectionToken, connectionId: connectionToken, availableTransports: offered,
      }));
    }
    const { connection } = find(req);
    if (!connection) return answer(404);
    if (req.method === 'POST') {
      let body = '';
      req.on('data', (chunk) => (body += chunk));
      req.on('end', () => {
        connection.read(body);
        answer(200);
      });
    } else if (req.method === 'DELETE') {
      connection.end();
      connection.poll?.writeHead(204).end();
      answer(202);
    } else if (req.headers.accept === 'text/event-stream') {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      res.write(':\r\n');
      connection.send = (text) => res.write(`data: ${text}\r\n\r\n`);
      res.on('close', () => connection.end());
      connection.flush();
    } else if (!connection.polled) {
      connection.polled = true; // the first poll tells the client that it is connected
      answer(200);
    } else {
      connection.poll = res;
      connection.send = (text) => {
        connection.send = connection.poll = null;
        answer(200, text);
      };
      connection.flush();
    }
  });

  const wss = new WebSocketServer({ noServer: true });
  server.on('upgrade', (req, socket, head) => {
    const { connection } = find(req);
    if (!connection) return socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    wss.handleUpgrade(req, socket, head, (ws) => {
      connection.send = (text) => ws.send(text);
      ws.on('message', (message) => connection.read(message.toString()));
      ws.on('close', () => connection.end());
    });
  });
};
