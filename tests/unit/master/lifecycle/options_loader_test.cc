#include "master/lifecycle/options_loader.h"

#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <vector>

#include "loop_support.h"

namespace ringmaster::master {
namespace {

using Loaded = OptionsLoader::Loaded;

// A configuration that takes until release() to read, and has one problem.
struct SlowFile {
  LoadOptions reader() {
    return [this]() -> Loaded {
      released.acquire();
      return tl::unexpected(std::vector<std::string>{"a problem"});
    };
  }
  void release() { released.release(); }

  std::binary_semaphore released{0};
};

}  // namespace

TEST_CASE("options loader: the loop goes on while the files are read") {
  test::Loop loop;
  SlowFile file;
  OptionsLoader loader(loop.get(), file.reader());
  for (int i = 0; i < 2; ++i) {
    std::optional<Loaded> loaded;
    loader.load([&](Loaded result) {
      CHECK(!loader.is_loading());
      loaded = std::move(result);
    });
    bool has_turned = false;
    uv_timer_t timer;
    timer.data = &has_turned;
    uv_timer_init(loop.get(), &timer);
    uv_timer_start(
        &timer, [](uv_timer_t* one) { *static_cast<bool*>(one->data) = true; }, 1, 0);
    loop.run_until([&] { return has_turned; });
    CHECK(loader.is_loading());
    CHECK(!loaded);
    file.release();
    loop.run_until([&] { return loaded.has_value(); });
    CHECK(loaded->error() == std::vector<std::string>{"a problem"});
    uv_close(reinterpret_cast<uv_handle_t*>(&timer), nullptr);
    uv_run(loop.get(), UV_RUN_NOWAIT);
  }
}

TEST_CASE("options loader: once it is destroyed, nobody is called") {
  test::Loop loop;
  SlowFile file;
  bool is_called = false;
  {
    OptionsLoader loader(loop.get(), file.reader());
    loader.load([&](const Loaded&) { is_called = true; });
  }
  file.release();
  uv_run(loop.get(), UV_RUN_DEFAULT);
  CHECK(!is_called);
}

}  // namespace ringmaster::master
