// Bodies pass through in constant memory and without delay.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { Readable } from 'node:stream';
import test from 'node:test';

import { backend, pause, portero, within } from './harness.mjs';

const chunk = Buffer.alloc(1 << 20, 'x');
const chunkCount = 384;
const total = chunk.length * chunkCount;
const growthKiBMax = 24 * 1024;

const bigBody = () => Readable.from((function* () {
  for (let i = 0; i < chunkCount; i++) yield chunk;
})());

const site = (upstream) => `
sites:
  localhost: {proxy: ${upstream.address}}
  http://localhost: {proxy: ${upstream.address}}
`;

async function countBytes(stream) {
  let length = 0;
  for await (const data of stream) length += data.length;
  return length;
}

async function growthDuring(edge, work) {
  await edge.get('/warm', { tls: false });
  const before = edge.rss;
  let peak = before;
  const watch = setInterval(() => (peak = Math.max(peak, edge.rss)), 20);
  await work();
  clearInterval(watch);
  return peak - before;
}

test('stream: a large download passes in constant memory', async (t) => {
  const upstream = await backend(t, (request, response) =>
    request.url === '/warm' ? response.end('ok') : bigBody().pipe(response));
  const edge = await portero(t, site(upstream));
  const growth = await growthDuring(edge, async () => {
    const options = { port: edge.httpPort, host: '127.0.0.1', headers: { Host: 'localhost' } };
    const [response] = await once(http.get(options), 'response');
    await pause(500);  // a client that is slow to start: the backend must be held back
    assert.equal(await countBytes(response), total);
    const session = await edge.h2();
    const stream = session.request({ ':path': '/', ':authority': 'localhost' });
    assert.equal(await countBytes(stream), total);
  });
  assert.ok(growth < growthKiBMax, `grew by ${growth} KiB`);
});

test('stream: a large upload passes in constant memory', async (t) => {
  const upstream = await backend(t, async (request, response) => {
    if (request.url !== '/warm') await pause(300);
    response.end(`${await countBytes(request)}`);
  });
  const edge = await portero(t, site(upstream));
  const growth = await growthDuring(edge, async () => {
    const options = { method: 'POST', body: bigBody(), tls: false };
    assert.equal((await edge.get('/', options)).text, `${total}`);
    const session = await edge.h2();
    const head = { ':path': '/', ':method': 'POST', ':authority': 'localhost' };
    const stream = session.request(head, { endStream: false });
    bigBody().pipe(stream);
    let text = '';
    for await (const data of stream) text += data;
    assert.equal(text, `${total}`);
  });
  assert.ok(growth < growthKiBMax, `grew by ${growth} KiB`);
});

test('stream: server-sent events arrive one by one', async (t) => {
  let events;
  const upstream = await backend(t, (request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.flushHeaders();
    events = response;
  });
  const edge = await portero(t, site(upstream));
  const headers = { Host: 'localhost' };
  const request = http.get({ port: edge.httpPort, host: '127.0.0.1', headers });
  const [response] = await within('the head', once(request, 'response'));
  for (const text of ['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n']) {
    events.write(text);
    const [data] = await within('an event', once(response, 'data'), 2);
    assert.equal(data.toString(), text);
  }
  request.destroy();
});

test('stream: interim answers and trailers of a backend pass', async (t) => {
  const upstream = await backend(t, (request, response) => {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' });
    response.writeHead(200, { Trailer: 'X-End' });
    response.write('body');
    response.addTrailers({ 'X-End': '1' });
    response.end();
  });
  const edge = await portero(t, site(upstream));
  const wire = await edge.wire();
  wire.write('GET / HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\n\r\n');
  const hints = await wire.head();
  assert.equal(hints.status, 103);
  assert.equal(hints.headers.link, '</a.css>; rel=preload');
  const answer = await wire.answer();
  assert.deepEqual([answer.text, answer.trailers], ['body', ['X-End: 1']]);
});

test('stream: an answer before the end of an upload reaches the client', async (t) => {
  const upstream = await backend(t, (request, response) => {
    response.writeHead(413, { Connection: 'close' });
    response.end('too large');
  });
  const edge = await portero(t, site(upstream));
  const wire = await edge.wire();
  wire.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nabc');
  assert.equal((await wire.answer()).status, 413);
});
