// nginx and php-fpm with a small Laravel-like application, as an ordinary user or as root, on
// free ports and in a folder of their own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { freePort, temporaryFolder, waitFor } from '../harness.mjs';

const isRoot = process.getuid() === 0;
const application = fileURLToPath(new URL('../php', import.meta.url));

const nginxConfig = ({ folder, port, socket }) => `
${isRoot ? 'user root;' : ''}
worker_processes 1;
daemon off;
pid ${folder}/nginx.pid;
error_log stderr warn;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  fastcgi_temp_path ${folder}/fastcgi;
  proxy_temp_path ${folder}/proxy;
  scgi_temp_path ${folder}/scgi;
  uwsgi_temp_path ${folder}/uwsgi;
  server {
    listen 127.0.0.1:${port};
    root ${application};
    location / { try_files $uri /index.php$is_args$args; }
    location ~ \\.php$ {
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
      fastcgi_pass unix:${socket};
    }
  }
}
`;

const fpmConfig = ({ folder, socket, env }) => `
[global]
error_log = ${folder}/fpm.log
daemonize = no
pid = ${folder}/fpm.pid
[www]
${isRoot ? 'user = root' : ''}
listen = ${socket}
pm = static
pm.max_children = 2
clear_env = yes
${Object.entries(env).map(([name, value]) => `env[${name}] = ${value}`).join('\n')}
`;

function start(t, program, args) {
  const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  t.after(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  return child;
}

const accepts = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1');
  socket.once('connect', () => (socket.destroy(), resolve(true)));
  socket.once('error', () => resolve(false));
});

// Returns {address} of nginx; `env` reaches PHP.
export async function phpBehindNginx(t, env) {
  const folder = temporaryFolder();
  const socket = path.join(folder, 'fpm.sock');
  const port = await freePort();
  mkdirSync(path.join(folder, 'body'));
  const files = { nginx: path.join(folder, 'nginx.conf'), fpm: path.join(folder, 'fpm.conf') };
  writeFileSync(files.nginx, nginxConfig({ folder, port, socket }));
  writeFileSync(files.fpm, fpmConfig({ folder, socket, env }));
  start(t, '/usr/sbin/php-fpm8.2', ['-F', '-O', '-y', files.fpm, ...(isRoot ? ['-R'] : [])]);
  await waitFor('php-fpm', () => existsSync(socket));
  start(t, '/usr/sbin/nginx', ['-e', 'stderr', '-p', folder, '-c', files.nginx]);
  await waitFor('nginx', () => accepts(port));
  return { address: `127.0.0.1:${port}` };
}
