#pragma once

namespace xtg {

namespace detail {
/// A switch of the current thread that is set for the life of the object.
template <class Tag>
class ThreadSwitch {
 public:
  explicit ThreadSwitch(bool value) : previous_(current()) { current() = value; }
  ~ThreadSwitch() { current() = previous_; }
  ThreadSwitch(const ThreadSwitch&) = delete;
  ThreadSwitch& operator=(const ThreadSwitch&) = delete;

  static bool& current() {
    static thread_local bool value = false;
    return value;
  }

 private:
  bool previous_;
};
}  // namespace detail

/// While it lives, operations of this thread are not recorded: results are constants. For evaluation and for updating
/// parameters. `NoGrad(false)` switches recording back on inside another NoGrad.
class NoGrad : public detail::ThreadSwitch<NoGrad> {
 public:
  explicit NoGrad(bool on = true) : ThreadSwitch(on) {}
};

inline bool recording() { return !NoGrad::current(); }

/// While it lives, operations of this thread that have an analytic backward run as their definition instead: the tape
/// derives every gradient from elementary operations. Read when an operation runs forward. The same numbers, more
/// slowly.
class DerivedGradients : public detail::ThreadSwitch<DerivedGradients> {
 public:
  explicit DerivedGradients(bool on = true) : ThreadSwitch(on) {}
};

}  // namespace xtg
