// The ring of events, the stories in it, names, and kept requests.
#include <doctest/doctest.h>
#include <string>

#include "base/clock.h"
#include "base/telemetry/kept_requests.h"
#include "base/telemetry/recorder.h"
#include "base/telemetry/stories.h"

namespace ringmaster::telemetry {
namespace {

Trail begin(Recorder& recorder, uint64_t request, uint64_t at_ns) {
  Trail trail{request, 0, 0, recorder.name("score")};
  recorder.record(trail, EventKind::kAdmitted, at_ns);
  return trail;
}

size_t kept(const Recorder& recorder, size_t of_class) {
  size_t count = 0;
  recorder.kept().for_each(
      [&](size_t its_class, const Story&, std::string_view) { count += its_class == of_class; });
  return count;
}

TEST_CASE("event ring: a story is a request's events, oldest first, among those of others") {
  Recorder recorder;
  Trail one = begin(recorder, 1, 10);
  Trail two = begin(recorder, 2, 20);
  recorder.record(one, EventKind::kQueued, 30);
  recorder.record(two, EventKind::kQueued, 40);
  recorder.record(one, EventKind::kAnswered, 50, {.took_ns = 40});
  const Story story = recorder.ring().story(one.last);
  REQUIRE(story.size() == 3);
  CHECK(story[0].kind == EventKind::kAdmitted);
  CHECK(story[1].at_ns == 30);
  CHECK(story[2].took_ns == 40);
  for (const Event& event : story)
    CHECK(event.request == 1);
}

TEST_CASE("event ring: a story keeps what the ring still has, and nothing of another request") {
  Recorder recorder;
  Trail old = begin(recorder, 1, 1);
  const Trail first = old;
  for (uint64_t i = 0; i < EventRing::kCapacity - 1; ++i)
    begin(recorder, 1000 + i, 2);
  CHECK(recorder.ring().story(first.last).size() == 1);  // the oldest event that is there
  recorder.record(old, EventKind::kAnswered, 3);
  CHECK_FALSE(recorder.ring().has(first.last));
  CHECK(recorder.ring().story(old.last).size() == 1);
  CHECK(recorder.ring().story(first.last).empty());
  CHECK(recorder.ring().first() + EventRing::kCapacity == recorder.ring().next());
}

TEST_CASE(
    "event ring: a flood of refusals displaces no other story, and the views see all of them") {
  Recorder recorder;
  size_t ends = 0, stories = 0;
  recorder.add_view([&](const Event&, uint64_t number, const TraceContext&) {
    ++ends;
    stories += recorder.ring().story(number).size() == 1;
  });
  Trail served = begin(recorder, 1, 10);
  const auto refuse = [&](uint64_t at_ns) {
    Trail trail{2, 0, 0, recorder.name("score")};
    recorder.record(trail, EventKind::kRefused, at_ns, {.code = -32009});
  };
  for (uint64_t i = 0; i < 2 * EventRing::kCapacity; ++i)
    refuse(20 + i);
  refuse(20 + Recorder::kRefusalGapNs);
  CHECK(ends == 2 * EventRing::kCapacity + 1);
  CHECK(stories == ends);
  CHECK(recorder.metrics().methods()[recorder.name("score")].errors.at({-32009, 0}) == ends);
  recorder.record(served, EventKind::kAnswered, 30, {.took_ns = 20});
  CHECK(recorder.ring().story(served.last).size() == 2);
  CHECK(recorder.ring().next() - recorder.ring().first() == 4);  // two refusals among them
  for (uint64_t i = 0; i < EventRing::kCapacity; ++i)
    begin(recorder, 1000 + i, 40);
  refuse(40);
  CHECK(recorder.ring().at(recorder.ring().first()).request == 1000);
  CHECK(recorder.ring().has(recorder.ring().next() - EventRing::kCapacity));
}

TEST_CASE("stories: the newest requests, each with all of its events") {
  Recorder recorder;
  Trail one = begin(recorder, 1, 10);
  Trail two = begin(recorder, 2, 20);
  recorder.record(EventKind::kWorkerUp, 25, {.where = 3});
  recorder.record(one, EventKind::kAnswered, 30);
  const uint64_t since = recorder.ring().next();
  recorder.record(two, EventKind::kAnswered, 40);
  const std::vector<Story> all = recent_stories(recorder.ring(), 0, 10);
  REQUIRE(all.size() == 2);
  CHECK(all[0].front().request == 1);
  CHECK(all[0].size() == 2);
  CHECK(all[1].front().request == 2);
  CHECK(all[1].size() == 2);
  const std::vector<Story> newest = recent_stories(recorder.ring(), 0, 1);
  REQUIRE(newest.size() == 1);
  CHECK(newest[0].front().request == 2);
  const std::vector<Story> later = recent_stories(recorder.ring(), since, 10);
  REQUIRE(later.size() == 1);
  CHECK(later[0].size() == 1);
}

TEST_CASE("names: a full table names all further ones (other); long names are cut") {
  Names names(4);
  CHECK(names.id_of("") == Names::kNone);
  const uint32_t a = names.id_of("a");
  const uint32_t b = names.id_of(std::string(1000, 'b'));
  CHECK(names.id_of("a") == a);
  CHECK(names.name_of(b).size() == Names::kNameBytesMax);
  CHECK(names.id_of("c") == Names::kOther);
  CHECK(names.name_of(names.id_of("d")) == "(other)");
}

TEST_CASE("request ids: of the newest requests, and cut") {
  RequestIds ids;
  CHECK(ids.id_of(0).empty());
  ids.note(1, "17");
  ids.note(2, "");
  ids.note(3, "\"123e4567-e89b-12d3-a456-426614174000\"");
  ids.note(4, std::string(1000, 'x'));
  CHECK(ids.id_of(1) == "17");
  CHECK(ids.id_of(2).empty());
  CHECK(ids.id_of(3) == "\"123e4567-e89b-12d3-a456-426614174000\"");
  CHECK(ids.id_of(4) == std::string(RequestIds::kBytesMax - 3, 'x') + "\u2026");
  ids.note(1 + RequestIds::kSlots, "18");
  CHECK(ids.id_of(1).empty());
  CHECK(ids.id_of(1 + RequestIds::kSlots) == "18");
}

TEST_CASE("kept requests: they keep their ids") {
  Recorder recorder;
  recorder.note_id(1, "17");
  Trail trail = begin(recorder, 1, 10);
  recorder.record(trail, EventKind::kAnswered, 50, {.took_ns = 40});
  recorder.note_id(1 + RequestIds::kSlots, "18");
  std::vector<std::string> ids;
  recorder.kept().for_each(
      [&](size_t, const Story&, std::string_view id) { ids.emplace_back(id); });
  CHECK(ids == std::vector<std::string>{"17"});
}

TEST_CASE("kept requests: each class keeps its newest ones, none too soon after another") {
  Recorder recorder;
  uint64_t now = 0;
  const auto answer = [&](uint64_t took_ms, int32_t code = 0) {
    Trail trail = begin(recorder, now + 1, now);
    now += KeptRequests::kGapNs;
    recorder.record(trail, EventKind::kAnswered, now,
                    {.took_ns = took_ms * kNsPerMs, .code = code});
    return trail;
  };
  answer(300);
  for (int i = 0; i < 100; ++i)
    answer(1);
  CHECK(kept(recorder, 0) == KeptRequests::kPerClass);
  CHECK(kept(recorder, 3) == 1);  // the slow one is still there
  answer(1, -32014);
  CHECK(kept(recorder, KeptRequests::kFailed) == 1);
  CHECK(KeptRequests::class_of({.took_ns = 50 * kNsPerMs}) == 1);
  CHECK(KeptRequests::class_of({.took_ns = 50 * kNsPerMs - 1}) == 0);
  CHECK(KeptRequests::class_of({.took_ns = 100'000 * kNsPerMs}) == 8);

  Trail soon = begin(recorder, 999, now);
  recorder.record(soon, EventKind::kAnswered, now + 1, {.took_ns = 1, .code = -32014});
  CHECK(kept(recorder, KeptRequests::kFailed) == 1);
}

}  // namespace
}  // namespace ringmaster::telemetry
