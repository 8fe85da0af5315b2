#include "master/lifecycle/options_loader.h"

#include <utility>

#include "base/assert.h"

namespace ringmaster::master {

struct OptionsLoader::Work {
  uv_work_t request{};
  OptionsLoader* owner;  // null once destroyed
  LoadOptions load;
  OnLoaded on_loaded;
  Loaded loaded{};
};

OptionsLoader::~OptionsLoader() {
  if (work_ != nullptr) work_->owner = nullptr;
}

void OptionsLoader::load(OnLoaded on_loaded) {
  RM_ASSERT(!is_loading());
  work_ = new Work{{}, this, load_, std::move(on_loaded)};
  work_->request.data = work_;
  const auto run = [](uv_work_t* request) {
    auto* self = static_cast<Work*>(request->data);
    self->loaded = self->load();
  };
  const auto done = [](uv_work_t* request, int) {
    const std::unique_ptr<Work> self(static_cast<Work*>(request->data));
    if (self->owner == nullptr) return;
    self->owner->work_ = nullptr;
    self->on_loaded(std::move(self->loaded));
  };
  RM_ASSERT(uv_queue_work(loop_, &work_->request, run, done) == 0);
}

}  // namespace ringmaster::master
