socket._timeout = 60_000; // on a busy machine a WebSocket that is slow to open is no reason to fall back
const use = (socket) =>
  new Promise((resolve, reject) => {
    socket.onopen = () => socket.send('hello');
    socket.onmessage = ({ data }) => {
      resolve([socket.transport, data]);
      socket.close();
    };
    socket.onclose = ({ code, reason }) => reject(new Error(`closed with ${code} ${reason}`));
  });
const fallback = (transport) => new SockJS(socket.url, null, { transports: [transport], timeout: 60_000 });
return [await use(socket), await use(fallback('xhr-streaming')), await use(fallback('xhr-polling'))];
