<?php
// A minimal Laravel on Debian's php-laravel-framework.
define('LARAVEL_START', microtime(true));
$app = require __DIR__ . '/../bootstrap/app.php';
$kernel = $app->make(Illuminate\Contracts\Http\Kernel::class);
$response = $kernel->handle($request = Illuminate\Http\Request::capture())->send();
$kernel->terminate($request, $response);
