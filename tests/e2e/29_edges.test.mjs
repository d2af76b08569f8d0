// What a VPS behind a balancer, with slow clients and folders to show, needs besides.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';

import { backend, pause, portero, temporaryFolder, waitFor, within } from './harness.mjs';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

test('browse: a folder as a page and as JSON, without what is hidden', async (t) => {
  const root = temporaryFolder();
  const outside = temporaryFolder();
  for (const folder of ['docs', 'docs/in<b>ner', 'empty', '.git']) mkdirSync(path.join(root,
    folder));
  for (const [name, size] of [['docs/a&b.txt', 3], ['docs/big.bin', 3_000_000], ['docs/.env', 1],
    ['docs/x.map', 1], ['docs/ü ä.txt', 1]]) {
    writeFileSync(path.join(root, name), 'x'.repeat(size));
  }
  mkdirSync(path.join(root, 'site'));
  writeFileSync(path.join(root, 'site/index.html'), 'index');
  symlinkSync(outside, path.join(root, 'docs/away'));
  const edge = await portero(t, `
sites:
  http://a.test: {root: "${root}", files: {browse: true, hide: ["*.map"]}}
  http://off.test: {root: "${root}", files: true}
`);
  const get = (target, headers = {}, host = 'a.test') => edge.get(target, { host, tls: false,
    headers });
  const page = await get('/docs/');
  assert.equal(page.status, 200);
  assert.match(page.headers['content-type'], /^text\/html/);
  assert.match(page.text, /<a href="\.\/a&amp;b\.txt">a&amp;b\.txt<\/a>/);
  assert.match(page.text, /<a href="\.\/in%3Cb%3Ener\/">in&lt;b&gt;ner\/<\/a>/);
  assert.match(page.text, /2\.9 MiB/);
  for (const gone of ['.env', 'x.map', 'away']) assert.ok(!page.text.includes(gone), gone);
  const list = JSON.parse((await get('/docs/', { Accept: 'application/json' })).text);
  assert.deepEqual(list.map((e) => [e.name, e.folder, e.size]),
    [['in<b>ner', true, 0], ['a&b.txt', false, 3], ['big.bin', false, 3_000_000], ['ü ä.txt',
      false, 1]]);
  assert.equal((await get('/docs')).headers.location, '/docs/');
  assert.equal((await get('/site/')).text, 'index');
  assert.equal(JSON.parse((await get('/empty/', { Accept: 'application/json' })).text).length, 0);
  for (const target of ['/.git/', '/none/', '/docs/away/', '/docs/../../']) {
    assert.ok([400, 404].includes((await get(target)).status), target);
  }
  assert.equal((await get('/docs/', {}, 'off.test')).status, 404);
});

test('buffering: a slow client holds no connection to the upstream', async (t) => {
  const body = Buffer.alloc(6_000_000, 'abcdefghij');
  let finished = 0;
  const app = await backend(t, (request, response) => {
    response.on('finish', () => ++finished);
    if (request.url === '/events') {
      response.setHeader('Content-Type', 'text/event-stream');
      response.write('data: 1\n\n');
      return;
    }
    if (request.url === '/cut') {
      response.setHeader('Content-Length', 1_000_000);
      response.write(body.subarray(0, 500_000));
      return setTimeout(() => response.destroy(), 100);
    }
    response.setHeader('Content-Length', body.length);
    response.end(body);
  });
  const edge = await portero(t, `
sites:
  http://a.test: {proxy: {to: "${app.address}", buffering: true}}
`);
  const socket = net.connect(edge.httpPort, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.pause();
  socket.write('GET /big HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n');
  await waitFor('the upstream to be done', () => finished === 1);
  await waitFor('its connection to be free', async () =>
    (await edge.status()).upstreams[0].in_flight === 0);
  const chunks = [];
  socket.on('data', (data) => chunks.push(data));
  socket.resume();
  await within('the whole answer', new Promise((resolve) => socket.on('end', resolve)));
  const answer = Buffer.concat(chunks);
  assert.ok(answer.subarray(answer.indexOf('\r\n\r\n') + 4).equals(body));
  // A stream passes at once; what breaks off is not made whole.
  const stream = net.connect(edge.httpPort, '127.0.0.1');
  t.after(() => stream.destroy());
  stream.write('GET /events HTTP/1.1\r\nHost: a.test\r\n\r\n');
  await within('the first event', new Promise((resolve) => {
    let got = '';
    stream.on('data', (data) => { got += data; if (got.includes('data: 1')) resolve(); });
  }));
  await assert.rejects(edge.get('/cut', { host: 'a.test', tls: false }));
  assert.equal((await edge.get('/ok', { host: 'a.test', tls: false })).text.length, body.length);
});

test('proxy_protocol: a balancer says who the client is', async (t) => {
  const edge = await portero(t, `
proxy_protocol: 127.0.0.1
sites:
  a.test, http://a.test: {allow: 192.0.2.0/24, respond: "{client_ip}"}
`);
  const ask = (head, pieces = [head]) => within('an answer', new Promise((resolve) => {
    const socket = net.connect(edge.httpPort, '127.0.0.1');
    t.after(() => socket.destroy());
    let got = '';
    socket.on('data', (data) => (got += data));
    socket.on('error', () => resolve(got));
    socket.on('close', () => resolve(got));
    (async () => {
      for (const piece of pieces) {
        socket.write(piece);
        await pause(20);
      }
      socket.write('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n');
    })();
  }));
  const v1 = 'PROXY TCP4 192.0.2.7 127.0.0.1 1234 80\r\n';
  assert.match(await ask(v1), /^HTTP\/1\.1 200 [^]*\r\n\r\n192\.0\.2\.7$/);
  assert.match(await ask(null, [...v1]), /\r\n\r\n192\.0\.2\.7$/);
  const v2 = Buffer.from('0d0a0d0a000d0a515549540a2111000cc00002087f00000104d20050', 'hex');
  assert.match(await ask(v2), /\r\n\r\n192\.0\.2\.8$/);
  assert.match(await ask('PROXY TCP4 198.51.100.1 127.0.0.1 1 80\r\n'), /^HTTP\/1\.1 403 /);
  assert.match(await ask('PROXY UNKNOWN\r\n'), /^HTTP\/1\.1 403 /);
  assert.equal(await ask(''), '');
  assert.equal(await ask('PROXY nonsense\r\n'), '');
});

test('downloads: long bodies between plain sockets arrive whole, or visibly not', async (t) => {
  const body = randomBytes(5_000_000);
  const app = await backend(t, (request, response) => {
    const url = new URL(request.url, 'http://x');
    response.setHeader('Content-Length', body.length);
    if (url.pathname === '/cut') {
      response.write(body.subarray(0, 3_000_000));
      return setTimeout(() => response.destroy(), 100);
    }
    if (url.pathname === '/drip') {
      let at = 0;
      const timer = setInterval(() => {
        response.write(body.subarray(at, at += 250_000));
        if (at >= body.length) clearInterval(timer), response.end();
      }, 2);
      return;
    }
    if (url.pathname === '/stall') return response.write(body.subarray(0, 2_000_000));
    response.end(body);
  });
  const edge = await portero(t, `
sites:
  http://a.test:
    log: {file: access.log, format: json}
    proxy: {to: "${app.address}", timeouts: {response: 1s}}
`);
  const agent = edge.keepAliveAgent(false);
  for (const target of ['/', '/drip', '/', '/drip']) {
    const got = await edge.get(target, { host: 'a.test', tls: false, agent });
    assert.equal(sha256(got.body), sha256(body), target);
  }
  assert.equal((await edge.status()).upstreams[0].idle_connections > 0, true, 'it is kept');
  const { headers } = await edge.get('/', { host: 'a.test', tls: false, agent, method: 'HEAD' });
  assert.equal(headers['content-length'], `${body.length}`);
  for (const target of ['/cut', '/stall']) {
    await assert.rejects(edge.get(target, { host: 'a.test', tls: false }), target);
  }
  // A client that reads slowly gets all of it; one that leaves holds nothing.
  const socket = net.connect(edge.httpPort, '127.0.0.1');
  socket.pause();
  socket.write('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n');
  await pause(300);
  const chunks = [];
  socket.on('data', (data) => {
    chunks.push(data);
    socket.pause();
    setTimeout(() => socket.resume(), 1);
  });
  await within('all of it', new Promise((resolve) => {
    socket.on('end', resolve);
    socket.resume();
  }), 30);
  const answer = Buffer.concat(chunks);
  assert.equal(sha256(answer.subarray(answer.indexOf('\r\n\r\n') + 4)), sha256(body));
  for (let i = 0; i < 10; ++i) {
    const leaver = net.connect(edge.httpPort, '127.0.0.1');
    leaver.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
    leaver.once('data', () => leaver.destroy());
    await once(leaver, 'close');
  }
  await waitFor('nothing to be under way', async () =>
    (await edge.status()).upstreams[0].in_flight === 0);
  assert.equal((await edge.get('/', { host: 'a.test', tls: false })).status, 200);
  const sizes = await waitFor('the log', () => {
    const lines = readFileSync(path.join(edge.folder, 'access.log'), 'utf8').trim().split('\n');
    return lines.length >= 9 && lines.map((line) => JSON.parse(line).bytes_sent);
  });
  assert.deepEqual(sizes.slice(0, 5), [...Array(4).fill(body.length), 0]);
});
