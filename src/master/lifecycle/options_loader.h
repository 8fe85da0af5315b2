// OptionsLoader: reads the configuration again in a thread of libuv's pool, since its files may be
// many, or slow to read. The event loop serves meanwhile.
//
// Processes: the master only.
#pragma once

#include <functional>
#include <memory>
#include <uv.h>

#include "master/lifecycle/serve.h"

namespace ringmaster::master {

class OptionsLoader {
 public:
  using Loaded = tl::expected<Options, std::vector<std::string>>;  // see LoadOptions
  using OnLoaded = std::function<void(Loaded)>;

  OptionsLoader(uv_loop_t* loop, LoadOptions load) : loop_(loop), load_(std::move(load)) {}
  // Afterwards on_loaded is not called. The loop still runs until the files are read.
  ~OptionsLoader();
  OptionsLoader(const OptionsLoader&) = delete;
  OptionsLoader& operator=(const OptionsLoader&) = delete;

  // REQUIRES: !is_loading().
  void load(OnLoaded on_loaded);
  bool is_loading() const { return work_ != nullptr; }

 private:
  struct Work;

  uv_loop_t* loop_;
  const LoadOptions load_;
  Work* work_ = nullptr;  // it owns itself
};

}  // namespace ringmaster::master
