// Task<T>: a lazy coroutine that runs when it is awaited and belongs to whoever awaits it.
//
//   Task<Result<>> send_all(ByteStream& to, Bytes data);
//   Result<> sent = co_await send_all(stream, data);
//
// spawn() starts a Task<> that nobody awaits. Task::ready(value) is one that has its result
// already: a function that seldom waits returns it without being a coroutine, and hands over to one
// when it must wait. Frames come from a per-thread pool, so a warm connection allocates nothing. A
// child that finishes without suspending costs a call and never grows the stack, also at -O0.
// Rules: parameters by value or references to what an outer frame owns; no capturing lambda is a
// coroutine; a suspended frame is never destroyed from outside: to stop it, make what it waits for
// fail (ByteStream::cancel, WaitPoint).
//
// Thread: a task is created, resumed and destroyed on one thread. Exceptions end the process.
// Why not asio::awaitable: see src/DECISIONS.md ("Own Task").
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

#include "base/assert.hpp"

namespace portero {

template <class T>
class Task;

namespace detail {

// Pool of coroutine frames by size class. Units: bytes.
void* allocate_frame(std::size_t size);
void free_frame(void* frame, std::size_t size) noexcept;
// Gives back to the heap half of what nobody has used since the last call.
void trim_frames() noexcept;
std::size_t free_frame_count(std::size_t size) noexcept;  // in the pool, for a frame of that size

class PromiseBase {
 public:
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { free_frame(frame, size); }

  std::suspend_always initial_suspend() const noexcept { return {}; }
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }

  struct Final {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      PromiseBase& promise = self.promise();
      // While the parent is still inside our first resume(), returning to it is enough.
      if (promise.starting_) return std::noop_coroutine();
      return promise.parent_;
    }
    void await_resume() const noexcept {}
  };
  Final final_suspend() const noexcept { return {}; }

  // Runs until the first suspension. Returns whether the task has finished.
  template <class Promise>
  static bool start(std::coroutine_handle<Promise> self, std::coroutine_handle<> parent) {
    PromiseBase& promise = self.promise();
    promise.parent_ = parent;
    promise.starting_ = true;
    self.resume();
    promise.starting_ = false;
    return self.done();
  }

 private:
  std::coroutine_handle<> parent_;
  bool starting_ = false;
};

template <class T>
class Promise : public PromiseBase {
 public:
  Task<T> get_return_object() noexcept;
  template <class U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T take() { return std::move(*value_); }

 private:
  std::optional<T> value_;
};

template <>
class Promise<void> : public PromiseBase {
 public:
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() const noexcept {}
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;

  explicit Task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  // A task that is over; costs no frame.
  static Task ready(T value) { return Task(Value(std::move(value))); }
  Task(Task&& other) noexcept
      : frame_(std::exchange(other.frame_, nullptr)), value_(std::move(other.value_)) {}
  Task(const Task&) = delete;
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (frame_) frame_.destroy();
  }

  bool await_ready() const noexcept { return !frame_; }
  bool await_suspend(std::coroutine_handle<> parent) {
    return !detail::PromiseBase::start(frame_, parent);
  }
  T await_resume() { return frame_ ? frame_.promise().take() : std::move(*value_); }

 private:
  using Value = std::optional<T>;
  explicit Task(Value value) noexcept : value_(std::move(value)) {}

  std::coroutine_handle<promise_type> frame_;
  Value value_;  // of a task without a frame
};

template <>
class [[nodiscard]] Task<void> {
 public:
  using promise_type = detail::Promise<void>;

  explicit Task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  static Task ready() noexcept { return Task(std::coroutine_handle<promise_type>()); }
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task(const Task&) = delete;
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (frame_) frame_.destroy();
  }

  bool await_ready() const noexcept { return !frame_; }
  bool await_suspend(std::coroutine_handle<> parent) {
    return !detail::PromiseBase::start(frame_, parent);
  }
  void await_resume() const noexcept {}

 private:
  std::coroutine_handle<promise_type> frame_;
};

namespace detail {

template <class T>
Task<T> Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}

inline Task<void> Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

// The frame of a spawned task: starts at once, frees itself at the end.
struct Detached {
  struct promise_type {
    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { free_frame(frame, size); }
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
    void return_void() const noexcept {}
  };
};

}  // namespace detail

// Runs a task that nobody awaits, now, up to its first suspension. What it references must outlive
// it: the one who spawns keeps count and waits for the end (see TaskGroup).
inline detail::Detached spawn(Task<> task) { co_await std::move(task); }

}  // namespace portero
