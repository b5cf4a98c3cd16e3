return await new Promise((resolve, reject) => {
  socket.onerror = reject;
  socket.onopen = () => socket.send('hello');
  socket.onmessage = ({ data }) => data !== 'tick' && (socket.close(1000), resolve(data));
});
