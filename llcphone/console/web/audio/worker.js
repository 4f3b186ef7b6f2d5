// Owns the line's WebSocket, so that neither drawing the page nor a hidden tab delays a frame or a mark.
//
// From the page: {url}, {sound: port of the worklet}, {silent}: it is gone, {send: message}. To the page: {open}, {closed},
// and each message of the line that is no sound.

let socket = null;
let sound = null;
let inCall = false; // frames are of use
let sent = 0; // frames of this call

self.onmessage = ({ data }) => {
  if (data.url) connect(data.url);
  if (data.sound) {
    sound = data.sound;
    sound.onmessage = ({ data }) => take(data);
  }
  if (data.send) send(data.send);
  if (data.silent) sound = null;
};

function connect(url) {
  inCall = false;
  socket = new WebSocket(url);
  socket.onopen = () => self.postMessage({ open: true });
  socket.onclose = ({ code }) => {
    sound?.postMessage({ forget: true });
    self.postMessage({ closed: code });
  };
  socket.onmessage = ({ data }) => show(JSON.parse(data));
}

function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function show(message) {
  switch (message.event) {
    case "media": {
      const bytes = bytesOf(message.media.payload);
      sound?.postMessage(bytes, [bytes.buffer]);
      return;
    }
    case "mark":
      if (sound) sound.postMessage({ mark: message.mark.name });
      else send({ event: "mark", mark: message.mark }); // nothing is played: nothing is waited for
      break;
    case "clear":
      sound?.postMessage({ clear: true });
      break;
    case "carrier":
      if (message.what === "stream" && message.state === "ended") sound?.postMessage({ forget: true });
      if (message.what === "conference" && message.state === "over") sound?.postMessage({ forget: true });
      if (message.what === "state") {
        if (message.state === "ringing") sent = 0;
        inCall = message.state === "connected";
        if (message.state === "over") sound?.postMessage({ forget: true });
      }
  }
  self.postMessage({ message });
}

function take(said) {
  if (said instanceof Uint8Array) {
    if (!inCall) return;
    sent++;
    send({ event: "media", media: { payload: btoa(String.fromCharCode(...said)) } });
  } else if (said.marks) {
    for (const name of said.marks) send({ event: "mark", mark: { name } });
    self.postMessage({ heard: said.marks });
  } else if (said.stats) {
    if (inCall) send({ event: "stats", ...said.stats });
    self.postMessage({ stats: { ...said.stats, sent } });
  }
}

function bytesOf(payload) {
  const text = atob(payload);
  const bytes = new Uint8Array(text.length);
  for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
  return bytes;
}
