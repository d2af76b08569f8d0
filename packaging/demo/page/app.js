import Echo from '/vendor/echo.js';

const show = (id, text) => (document.getElementById(id).textContent = text);

const echo = new Echo({
  broadcaster: 'reverb',
  key: document.body.dataset.key,
  wsHost: location.hostname,
  wsPort: location.port,
  wssPort: location.port,
  forceTLS: true,
  enabledTransports: ['ws', 'wss'],
});

echo.connector.pusher.connection.bind('state_change', ({ current }) => {
  show('state', current === 'connected' ? `connected as ${echo.socketId()}` : current);
});

echo.channel('demo').listen('.message', ({ text, from }) => {
  const item = document.createElement('li');
  item.textContent = `${new Date().toLocaleTimeString()}  ${text} (${from})`;
  document.getElementById('messages').prepend(item);
});

let visitors = 0;
const count = (number) => show('visitors', (visitors = number));
echo.join('visitors')
  .here((members) => count(members.length))
  .joining(() => count(visitors + 1))
  .leaving(() => count(visitors - 1));

document.getElementById('publish').addEventListener('submit', (event) => {
  event.preventDefault();
  fetch('/publish', { method: 'POST', body: new URLSearchParams(new FormData(event.target)) });
});
