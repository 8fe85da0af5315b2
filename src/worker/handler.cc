#include "worker/handler.h"

#include <atomic>
#include <cstdio>
#include <dlfcn.h>
#include <exception>
#include <fmt/format.h>
#include <string_view>
#include <vector>

namespace ringmaster::worker {
namespace {

constexpr size_t kErrorBytes = 1024;
constexpr size_t kFrameNameBytes = 256;

std::atomic<const Handler*> the_running = nullptr;
static_assert(std::atomic<const Handler*>::is_always_lock_free);

// Cuts the error, which may quote a description, to the length of a control message.
tl::unexpected<Error> refuse(const ipc::HandlerSpec& spec, std::string_view what) {
  return fail(ExitCode::kConfig, fmt::format("handler {} ({}): {}", spec.name, spec.library,
                                             what.substr(0, kErrorBytes)));
}

// Calls a function of the handler that returns 0, or fails with an error. An exception, which the
// ABI forbids, becomes the error.
template <class Call>
bool attempt(char (&error)[kErrorBytes], Call call) {
  std::snprintf(error, sizeof error, "no reason given");
  try {
    return call() == 0;
  } catch (const std::exception& e) {
    std::snprintf(error, sizeof error, "threw a C++ exception: %s", e.what());
  } catch (...) {
    std::snprintf(error, sizeof error, "threw something that is not a std::exception");
  }
  return false;
}

}  // namespace

void Handler::CloseLibrary::operator()(void* library) const {
  ::dlclose(library);
}

void Handler::Unload::operator()(void* self) const {
  if (handler->unload != nullptr) handler->unload(self);
}

Result<Handler> Handler::load(const ipc::HandlerSpec& spec) {
  Handler loaded;
  loaded.name_ = spec.name;
  loaded.is_debugged_ = spec.debug;
  loaded.library_.reset(::dlopen(spec.library.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (loaded.library_ == nullptr) return refuse(spec, ::dlerror());

  using Entry = const rm_handler* (*)();
  const auto entry = reinterpret_cast<Entry>(::dlsym(loaded.library_.get(), "ringmaster_handler"));
  if (entry == nullptr) {
    return refuse(spec, "exports no ringmaster_handler(): is it a ringmaster handler?");
  }
  loaded.handler_ = entry();
  if (loaded.handler_ == nullptr || loaded.handler_->abi != RINGMASTER_HANDLER_ABI) {
    return refuse(spec,
                  fmt::format("was built for handler ABI {}, this server speaks {}: rebuild "
                              "it against this server's headers",
                              loaded.handler_ ? loaded.handler_->abi : 0, RINGMASTER_HANDLER_ABI));
  }
  if (loaded.handler_->load == nullptr || loaded.handler_->run == nullptr) {
    return refuse(spec, "has no load() or no run()");
  }

  std::vector<rm_option> options;
  for (const auto& [key, value] : spec.options)
    options.push_back({key.c_str(), value.c_str()});
  char error[kErrorBytes];
  void* self = nullptr;
  const rm_handler& functions = *loaded.handler_;
  if (!attempt(error, [&] {
        return functions.load(options.data(), options.size(), &self, error, sizeof error);
      })) {
    return refuse(spec, error);
  }
  loaded.self_ = {self, Unload{loaded.handler_}};
  const char* text = nullptr;
  const auto describe = [&] { return text = functions.describe(self), 0; };
  if (functions.describe != nullptr && !attempt(error, describe)) {
    return refuse(spec, fmt::format("describe() {}", error));
  }
  if (text != nullptr) {
    auto description = Description::parse(text);
    if (!description) return refuse(spec, "its description" + description.error());
    loaded.description_ = std::move(*description);
  }
  const auto warm_up = [&] { return functions.warm_up(self, error, sizeof error); };
  if (functions.warm_up != nullptr && !attempt(error, warm_up)) {
    return refuse(spec, fmt::format("warm-up: {}", error));
  }
  return loaded;
}

Status Handler::self_test() const {
  char error[kErrorBytes];
  if (attempt(error, [&] { return handler_->self_test(self_.get(), error, sizeof error); }))
    return {};
  return fail(ExitCode::kConfig, fmt::format("handler {}: self-test: {}", name_, error));
}

void Handler::write_stack(int fd) const {
  if (handler_->write_stack != nullptr) handler_->write_stack(self_.get(), fd);
}

size_t Handler::frames(const void*& place, uintptr_t stack_pointer,
                       std::span<uint64_t> frames) const {
  if (handler_->frames == nullptr) return 0;
  return handler_->frames(self_.get(), &place, stack_pointer, frames.data(), frames.size());
}

std::string Handler::frame_name(uint64_t frame) const {
  char name[kFrameNameBytes];
  const bool is_named = handler_->frame_name != nullptr &&
                        handler_->frame_name(self_.get(), frame, name, sizeof name) == 0;
  return is_named ? name : "";
}

const Handler* Handler::running() {
  return the_running;
}

void Handler::run(const rm_host& host, const rm_job* jobs, size_t count) const {
  // The ABI forbids exceptions; if the handler throws one, its jobs fail, and the worker goes on.
  the_running.store(this, std::memory_order_release);
  try {
    handler_->run(self_.get(), &host, jobs, count);
  } catch (const std::exception& e) {
    const std::string_view what = e.what();
    for (size_t i = 0; i < count; ++i) {
      host.fail(&jobs[i], RM_HANDLER_FAILED, what.data(), what.size());
    }
  }
  the_running.store(nullptr, std::memory_order_release);
}

}  // namespace ringmaster::worker
