// What a route may ask and change: regular expressions, files, try_files, replace, error pages.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { backend, freePort, pause, portero, temporaryFolder, waitFor } from './harness.mjs';

function folderWith(files) {
  const root = temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), text);
  }
  return root;
}

test('routes: path_regexp gives its groups to placeholders', async (t) => {
  const edge = await portero(t, `
sites:
  http://a.test:
    routes:
      - match: {path_regexp: '^/users/(\\d+)/posts/([a-z-]+)$'}
        respond: "{re.1} {re.2} {re.0} [{re.3}]"
      - match: {path_regexp: ['\\.jpe?g$', '\\.png$'], method: GET}
        respond: image
      - match: {path: /v*, path_regexp: '^/v(\\d+)/'}
        redirect: /api/{re.1}
      - match: {not: {path_regexp: '^/secret'}}
        respond: other
`);
  const get = async (target, options) => edge.get(target, { host: 'a.test', tls: false,
    ...options });
  for (const [target, text] of [
    ['/users/12/posts/a-b', '12 a-b /users/12/posts/a-b []'],
    ['/users/x/posts/a-b', 'other'], ['/a/b.jpeg', 'image'], ['/b.png', 'image'], ['/b.pngx',
      'other'],
    ['/us%65rs/7/posts/q', '7 q /users/7/posts/q []'],
  ]) {
    assert.equal((await get(target)).text, text, target);
  }
  assert.equal((await get('/v3/x')).headers.location, '/api/3');
  assert.equal((await get('/secret/1')).status, 404);
  // A pattern that would take other engines years: cost grows with the text alone.
  const slow = await portero(t, `
sites:
  http://a.test:
    routes:
      - {match: {path_regexp: '^/(a+)+$'}, respond: yes}
      - {respond: "no"}
`);
  assert.equal((await slow.get(`/${'a'.repeat(4000)}!`, { host: 'a.test', tls: false })).text,
    'no');
  const { stdout } = await edge.command('explain', 'http://a.test/secret');
  assert.match(stdout, /not path_regexp \^\/secret ✗/);
});

test('routes: try_files and match by file, and never out of the root', async (t) => {
  const root = folderWith({
    'index.html': 'index', 'a.txt': 'a', 'docs/index.html': 'docs', '.env': 'SECRET',
      'sp ace.txt': 'sp',
  });
  writeFileSync(path.join(root, '../outside.txt'), 'outside');
  t.after(() => rmSync(path.join(root, '../outside.txt'), { force: true }));
  const upstream = await backend(t, (request, response) => response.end(`upstream ${request.url}`));
  const edge = await portero(t, `
sites:
  http://a.test:
    root: ${root}
    routes:
      - {match: {path: /only/*}, strip_prefix: /only, try_files: ["{path}", =404], files: true}
      - {match: {path: /q/*}, try_files: "/{query.f}", files: true}
      - match: {path: /spa/*}
        strip_prefix: /spa
        try_files: ["{path}", "{path}/index.html", "/index.html"]
        files: true
      - {match: {file: "{path}"}, files: true}
      - {match: {file: "{path}/"}, respond: folder}
      - {try_files: ["{path}", "/index.php?p={path}&{query}"], proxy: "${upstream.address}"}
`);
  const get = async (target) => {
    const { status, text } = await edge.get(target, { host: 'a.test', tls: false });
    return `${status} ${text.trim()}`;
  };
  assert.equal(await get('/only/a.txt'), '200 a');
  assert.equal(await get('/only/none'), '404 Not Found');
  assert.equal(await get('/only/.env'), '404 Not Found');
  assert.equal(await get('/q/?f=a.txt'), '200 a');
  for (const f of ['../outside.txt', '..%2Foutside.txt', '.env', 'x/../../outside.txt',
    '%2e%2e/outside.txt']) {
    assert.match(await get(`/q/?f=${f}`), /^404/, f);
  }
  assert.equal(await get('/spa/a.txt'), '200 a');
  assert.equal(await get('/spa/docs'), '200 docs');
  assert.equal(await get('/spa/any/where'), '200 index');
  assert.equal(await get('/a.txt'), '200 a');
  assert.equal(await get('/sp%20ace.txt'), '200 sp');
  assert.equal(await get('/docs'), '200 folder');
  assert.equal(await get('/none?x=1'), '200 upstream /none?x=1');
});

test('routes: replace changes parts of fields, on both ways', async (t) => {
  const upstream = await backend(t, (request, response) => {
    response.setHeader('Location', 'http://internal:8000/next?a=1');
    response.setHeader('Set-Cookie', ['a=1; Domain=internal; Path=/', 'b=2; Domain=internal']);
    response.end(request.headers['x-from']);
  });
  const edge = await portero(t, `
sites:
  http://a.test:
    headers:
      replace:
        Location: {from: '^http://internal(:\\d+)?/', to: 'https://{host}/'}
        Set-Cookie: {from: 'Domain=\\w+', to: 'Domain={host}'}
    headers_up: {replace: {X-From: {from: '(\\w+)@(\\w+)', to: '$2 at $1 costs $$5'}}}
    proxy: ${upstream.address}
`);
  const answer = await edge.get('/', { host: 'a.test', tls: false,
    headers: { 'X-From': 'me@home' } });
  assert.equal(answer.headers.location, 'https://a.test/next?a=1');
  assert.deepEqual(answer.headers['set-cookie'], ['a=1; Domain=a.test; Path=/',
    'b=2; Domain=a.test']);
  assert.equal(answer.text, 'home at me costs $5');
});

test('routes: pages for errors from a file, a text and a server', async (t) => {
  const page = '<h1>{error.status} {error.reason}</h1>{request_id} {query.x}';
  const root = folderWith({ 'down.html': page });
  const pages = await backend(t, (request, response) => {
    response.statusCode = 200;
    response.setHeader('Content-Type', 'text/html');
    response.end(`page ${request.method} ${request.url} ${request.headers['x-status']}`);
  });
  const app = await backend(t, (request, response) => {
    response.statusCode = request.url === '/gone' ? 404 : 503;
    response.end('the application says so');
  });
  const closed = await freePort();
  const edge = await portero(t, `
sites:
  http://a.test:
    headers: {set: {X-Site: a}}
    errors:
      502, 503: {file: ${root}/down.html}
      404:
        proxy: {to: "${pages.address}", headers_up: {set: {X-Status: "{error.status}"}}}
        rewrite: "/errors/{error.status}"
      413: {respond: {body: "too big: {error.status}", headers: {X-Why: "{error.reason}"}}}
    routes:
      - {match: /refused, proxy: "127.0.0.1:${closed}"}
      - {match: [/gone, /busy], proxy: "${app.address}"}
      - {match: /small, limits: {body: 10B}, proxy: "${app.address}"}
      - match: /own
        errors: {502: {respond: {status: 200, body: fine}}}
        proxy: "127.0.0.1:${closed}"
      - {match: /nested, errors: {404: {respond: inner}}, routes: [{match: /no, respond: no}]}
      - {match: /respond, respond: {status: 404, body: as written}}
`);
  const get = (target, options = {}) => edge.get(target, { host: 'a.test', tls: false,
    ...options });
  const refused = await get('/refused?x=<b>');
  assert.equal(refused.status, 502);
  assert.match(refused.text,
    /^<h1>502 upstream 127\.0\.0\.1:\d+ refused the connection.*<\/h1>[0-9a-f]{16} &lt;b&gt;$/);
  assert.match(refused.headers['content-type'], /^text\/html/);
  assert.equal(refused.headers['x-site'], 'a');
  // What an application says is never replaced, nor what the site file does.
  for (const [target, status, text] of [['/gone', 404, 'the application says so'],
    ['/busy', 503, 'the application says so'], ['/respond', 404, 'as written']]) {
    const answer = await get(target);
    assert.deepEqual([answer.status, answer.text], [status, text]);
  }
  const missing = await get('/nowhere', { method: 'POST', body: 'x'.repeat(1000) });
  assert.deepEqual([missing.status, missing.text], [404, 'page GET /errors/404 404']);
  assert.equal(missing.headers['content-type'], 'text/html');
  const large = await get('/small', { method: 'POST', body: 'x'.repeat(100) });
  assert.deepEqual([large.status, large.text], [413, 'too big: 413']);
  assert.ok(large.headers['x-why'].length > 5);
  assert.deepEqual([(await get('/own')).status, (await get('/own')).text], [200, 'fine']);
  assert.equal((await get('/nested')).text, 'inner');

  writeFileSync(path.join(root, 'down.html'), 'new');
  await waitFor('the new page', async () => (await get('/refused')).text === 'new');
  rmSync(path.join(root, 'down.html'));
  await waitFor('the plain page', async () => (await get('/refused')).text.startsWith('upstream'));
  await pages.stop();
  const plain = await get('/nowhere');
  assert.equal(plain.status, 404);
  assert.match(plain.text, /^upstream .* refused/);
});

test('routes: errors without pages, in the form that the client prefers', async (t) => {
  const edge = await portero(t, `
sites:
  http://a.test: {routes: [{match: /x, respond: x}]}
`);
  const get = (accept) => edge.get('/none', { host: 'a.test', tls: false,
    headers: accept ? { Accept: accept } : {} });
  const html = await get('text/html,application/xhtml+xml,*/*;q=0.8');
  assert.equal(html.status, 404);
  assert.match(html.headers['content-type'], /^text\/html/);
  assert.match(html.text,
    /<h1>404 Not Found<\/h1>[^]*no route takes this path[^]*Request [0-9a-f]{16}/);
  const json = await get('application/json');
  assert.match(json.headers['content-type'], /^application\/json/);
  const said = JSON.parse(json.text);
  assert.equal(said.status, 404);
  assert.match(said.request_id, /^[0-9a-f]{16}$/);
  for (const accept of [undefined, '*/*', 'text/plain']) {
    assert.match((await get(accept)).headers['content-type'], /^text\/plain/);
  }
  await pause(0);
});
