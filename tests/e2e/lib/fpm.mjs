// A php-fpm of the test's own, as an ordinary user or as root, that can be stopped, started again
// and asked to reload.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { freePort, temporaryFolder, waitFor } from '../harness.mjs';

const isRoot = process.getuid() === 0;

export class Fpm {
  #child = null;
  #files;

  constructor({ folder, address, children, lines }) {
    this.folder = folder;
    this.address = address;
    this.log = path.join(folder, 'fpm.log');
    this.#files = path.join(folder, 'fpm.conf');
    const listen = address.replace(/^unix:/, '');
    this.socket = address.startsWith('unix:') ? listen : null;
    writeFileSync(this.#files, `
[global]
error_log = ${this.log}
daemonize = no
; Without it php-fpm ends the scripts that run when it is told to stop or to reload.
process_control_timeout = 10s
pid = ${folder}/fpm.pid
[www]
${isRoot ? 'user = root' : ''}
listen = ${listen}
pm = static
pm.max_children = ${children}
catch_workers_output = no
php_admin_value[upload_max_filesize] = 64M
php_admin_value[post_max_size] = 128M
php_admin_value[session.save_path] = ${folder}
php_admin_flag[display_errors] = off
php_admin_flag[log_errors] = on
${lines.join('\n')}
`);
  }

  async start() {
    const args = ['-F', '-y', this.#files, ...(isRoot ? ['-R'] : [])];
    this.#child = spawn('/usr/sbin/php-fpm8.2', args, { stdio: ['ignore', 'ignore', 'ignore'] });
    const ready = () => existsSync(this.log)
      && readFileSync(this.log, 'utf8').split('ready to handle connections').length > this.starts;
    this.starts = (this.starts ?? 0) + 1;
    await waitFor('php-fpm', ready);
    return this;
  }

  // QUIT lets requests under way finish, TERM ends them.
  async stop(signal = 'SIGQUIT') {
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    child.kill(signal);
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  // What `systemctl reload php8.2-fpm` does.
  async reload() {
    const before = this.starts;
    this.starts += 1;
    this.#child.kill('SIGUSR2');
    await waitFor('php-fpm to reload', () => readFileSync(this.log, 'utf8')
      .split('ready to handle connections').length > before + 1);
  }
}

// Options: tcp (listens on a port), children, lines (of the pool's configuration).
export async function fpm(t, { tcp = false, children = 2, lines = [] } = {}) {
  const folder = temporaryFolder();
  const address = tcp ? `127.0.0.1:${await freePort()}` : `unix:${path.join(folder, 'fpm.sock')}`;
  const server = new Fpm({ folder, address, children, lines });
  // Not KILL, which would leave the pool's processes behind.
  t.after(() => server.stop('SIGTERM'));
  return server.start();
}
