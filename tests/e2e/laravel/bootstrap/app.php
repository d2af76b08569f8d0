<?php
// Debian has Laravel without Composer: its classes lie by their names below /usr/share/php.
error_reporting(E_ALL & ~E_DEPRECATED);
const LIBRARIES = '/usr/share/php';
spl_autoload_register(function (string $class): void {
    $file = LIBRARIES . '/' . str_replace('\\', '/', $class) . '.php';
    if (is_file($file)) {
        require $file;
    }
});
foreach (glob(LIBRARIES . '/Illuminate/*/autoload.php') as $file) {
    require_once $file;
}
foreach (['Collections', 'Support', 'Foundation'] as $part) {
    require_once LIBRARIES . "/Illuminate/$part/helpers.php";
}
require __DIR__ . '/routes.php';

$app = new Illuminate\Foundation\Application(dirname(__DIR__));
$app->singleton(Illuminate\Contracts\Http\Kernel::class, Kernel::class);
$app->singleton(
    Illuminate\Contracts\Debug\ExceptionHandler::class,
    Illuminate\Foundation\Exceptions\Handler::class
);
return $app;
