// Clients that leave are noticed at once, also when nothing is on its way to them; clients that
// have only ended their side are served.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';

import { backend, pause, portero, waitFor, within } from './harness.mjs';

const site = (upstream) => `
sites:
  localhost: &site {proxy: ${upstream.address}}
  http://localhost: *site
`;

const request = 'GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n';
const secondsToNotice = 0.5;

// A backend whose answers stay open; `closed` resolves when portero has closed one.
async function silentBackend(t, head = true) {
  const answers = [];
  const upstream = await backend(t, (_, response) => {
    if (head) response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
    answers.push({ response, closed: once(response, 'close') });
  });
  return { ...upstream, answers };
}

const leave = {
  'over HTTP/1.1, by FIN': async (edge) => {
    const wire = (await edge.wire()).write(request);
    await wire.head();
    return () => wire.socket.end();
  },
  'over HTTP/1.1, by a reset': async (edge) => {
    const wire = (await edge.wire()).write(request);
    await wire.head();
    return () => wire.socket.resetAndDestroy();
  },
  'over HTTP/1.1 with TLS': async (edge) => {
    const wire = (await edge.wire({ tls: true })).write(request);
    await wire.head();
    return () => wire.socket.end();
  },
  'over HTTP/2, by RST_STREAM': async (edge) => {
    const session = await edge.h2();
    const stream = session.request({ ':path': '/events', ':authority': 'localhost' });
    await once(stream, 'response');
    stream.on('error', () => {});
    return () => stream.close(8);
  },
  'over HTTP/2, with the connection': async (edge) => {
    const session = await edge.h2();
    const stream = session.request({ ':path': '/events', ':authority': 'localhost' });
    await once(stream, 'response');
    stream.on('error', () => {});
    return () => session.destroy();
  },
};

test('departures: a client that leaves a silent event stream frees the backend', async (t) => {
  const upstream = await silentBackend(t);
  const edge = await portero(t, site(upstream));
  for (const [how, open] of Object.entries(leave)) {
    await t.test(how, async () => {
      const go = await open(edge);
      const answer = upstream.answers.at(-1);
      await pause(1_200);  // past the time in which the end of a side belongs to the request
      assert.ok(!answer.response.destroyed, 'it is still there');
      go();
      await within('the backend to be told', answer.closed, secondsToNotice);
    });
  }
  edge.closeClients();
  await waitFor('the connections to end', async () =>
    (await edge.status()).workers.every(({ connections }) => connections === 0));
});

test('departures: a client that leaves before the answer begins frees the backend', async (t) => {
  const upstream = await silentBackend(t, false);
  const edge = await portero(t, site(upstream));
  for (const tls of [false, true]) {
    const wire = (await edge.wire({ tls })).write(request);
    const count = upstream.answers.length;
    await waitFor('the request', () => upstream.answers.length > count);
    await pause(1_200);
    wire.socket.end();
    await within('the backend to be told', upstream.answers.at(-1).closed, secondsToNotice);
  }
});

test('departures: a client that half-closes after its request gets its answer', async (t) => {
  const upstream = await backend(t, async (_, response) => {
    await pause(1_500);
    response.write('first ');
    await pause(300);
    response.end('last');
  });
  const edge = await portero(t, site(upstream));
  const wire = await edge.wire({ allowHalfOpen: true });
  wire.socket.end(request);
  assert.equal((await wire.answer()).text, 'first last');
});

test('departures: pipelined requests are answered after a half-close', async (t) => {
  const upstream = await backend(t, async (_, response) => {
    await pause(700);
    response.end('ok');
  });
  const edge = await portero(t, site(upstream));
  const wire = await edge.wire({ allowHalfOpen: true });
  wire.write(request.repeat(3));
  await pause(100);
  wire.socket.end();
  for (let i = 0; i < 3; i++) assert.equal((await wire.answer()).text, 'ok');
});

test('departures: an upload that breaks off takes the backend\'s connection along', async (t) => {
  const upstream = await silentBackend(t, false);
  const edge = await portero(t, site(upstream));
  const wire = await edge.wire();
  wire.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc');
  await waitFor('the request', () => upstream.answers.length === 1);
  wire.socket.end();
  await within('the backend to be told', upstream.answers[0].closed, secondsToNotice);
});
