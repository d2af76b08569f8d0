<?php
// What a small application does: pages, a session, forms with files, redirects, downloads, errors.
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Route;

class Kernel extends Illuminate\Foundation\Http\Kernel
{
    protected $middleware = [Illuminate\Http\Middleware\TrustProxies::class];
    protected $middlewareGroups = ['web' => [
        Illuminate\Cookie\Middleware\EncryptCookies::class,
        Illuminate\Cookie\Middleware\AddQueuedCookiesToResponse::class,
        Illuminate\Session\Middleware\StartSession::class,
    ]];
}

class Routes extends Illuminate\Support\ServiceProvider
{
    public function boot()
    {
        Route::middleware('web')->group(function () {
            Route::get('/', fn () => 'home ' . url('/somewhere'));
            Route::get('/visits', function (Request $request) {
                $request->session()->increment('visits');
                return ['visits' => $request->session()->get('visits')];
            });
            Route::post('/photos/{id}', fn (Request $request, $id) => [
                'id' => $id,
                'note' => $request->input('note'),
                'photo' => hash_file('sha256', $request->file('photo')->path()),
            ]);
            Route::put('/raw', fn (Request $request) => hash('sha256', $request->getContent()));
            Route::get('/release', fn () => ['path' => base_path()]);
            Route::get('/go', fn () => redirect('/visits'));
            Route::get('/request', fn (Request $request) => [
                'ip' => $request->ip(),
                'secure' => $request->secure(),
                'url' => $request->fullUrl(),
            ]);
            Route::get('/stream', fn () => response()->stream(function () {
                for ($i = 0; $i < 3000; $i++) {
                    echo str_repeat('0123456789', 100);
                }
            }));
            Route::get('/download', fn () => response()->download(storage_path('app/report.txt')));
            Route::get('/forbidden', fn () => abort(403));
            Route::get('/broken', fn () => throw new RuntimeException('broken on purpose'));
        });
    }
}
