import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import test from 'node:test';

import { chromium } from 'playwright-core';

import { backend, freePort, portero, within } from './harness.mjs';
import { chromiumOptions } from './lib/browser.mjs';
import { app, hubBlock, publisher } from './lib/hub.mjs';

const modules = path.dirname(createRequire(import.meta.url).resolve('pusher-js/package.json'));
const scripts = {
  '/pusher.js': path.join(modules, 'dist/web/pusher.min.js'),
  '/echo.js': path.join(modules, '../laravel-echo/dist/echo.js'),
};

const page = `<!doctype html><title>portero</title><ul id="events"></ul>
<script src="/pusher.js"></script>
<script type="module">
  import Echo from '/echo.js';
  const echo = new Echo({
    broadcaster: 'reverb', key: '${app.key}', wsHost: location.hostname, wsPort: location.port,
    wssPort: location.port, forceTLS: true, enabledTransports: ['ws', 'wss'],
    authEndpoint: '/broadcasting/auth',
  });
  const say = (text) => document.querySelector('#events').append(
    Object.assign(document.createElement('li'), { textContent: text }));
  echo.channel('news').listen('.headline', (e) => say('news: ' + e.text))
    .subscribed(() => say('subscribed to news'));
  echo.private('orders').listen('OrderPlaced', (e) => say('order ' + e.id))
    .subscribed(() => say('subscribed to orders'));
</script>`;

function serve(request, response) {
  if (request.url === '/') return response.end(page, 'utf8');
  if (scripts[request.url]) {
    response.setHeader('Content-Type', 'text/javascript');
    return response.end(readFileSync(scripts[request.url]));
  }
  if (request.url !== '/broadcasting/auth') return response.writeHead(404).end();
  let body = '';
  request.on('data', (data) => (body += data));
  request.on('end', () => {
    const form = new URLSearchParams(body);
    const signed = `${form.get('socket_id')}:${form.get('channel_name')}`;
    const signature = createHmac('sha256', app.secret).update(signed).digest('hex');
    response.end(JSON.stringify({ auth: `${app.key}:${signature}` }));
  });
}

test('browser: Echo on a proxied page hears events over wss on the same port', async (t) => {
  const upstream = await backend(t, serve);
  const hubPort = await freePort();
  const site = `  localhost: {hub: true, proxy: ${upstream.address}}\n`;
  const edge = await portero(t, `${hubBlock(hubPort)}sites:\n${site}`);
  const browser = await chromium.launch(chromiumOptions);
  t.after(() => browser.close());
  const tab = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
  // A machine whose only network is loopback counts as offline, and pusher-js then waits.
  await tab.addInitScript(() => Object.defineProperty(navigator, 'onLine', { value: true }));
  const complaints = [];
  tab.on('pageerror', (error) => complaints.push(error.message));
  await tab.goto(edge.url('/'), { timeout: 30_000 });
  const shows = (text) => within(text, tab.getByText(text).waitFor({ timeout: 15_000 }), 20);

  await shows('subscribed to news');
  await shows('subscribed to orders');
  await publisher(hubPort).trigger('news', 'headline', { text: 'it works' });
  await shows('news: it works');
  await publisher(hubPort).trigger('private-orders', 'App\\Events\\OrderPlaced', { id: 42 });
  await shows('order 42');
  assert.deepEqual(complaints, []);
});
