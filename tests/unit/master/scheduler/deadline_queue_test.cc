#include "master/scheduler/deadline_queue.h"

#include <doctest/doctest.h>

namespace ringmaster::master {

TEST_CASE("deadline queue: an empty queue has no front") {
  DeadlineQueue queue;
  CHECK(!queue.front());
}

TEST_CASE("deadline queue: the earliest deadline comes first, whenever it was pushed") {
  DeadlineQueue queue;
  const uint64_t deadlines[] = {50, 10, 40, ~uint64_t{0}, 0, 20};
  for (const uint64_t deadline_ns : deadlines) {
    queue.push(deadline_ns, {static_cast<uint32_t>(deadline_ns % 1000), 1});
  }
  for (const uint64_t deadline_ns :
       {uint64_t{0}, uint64_t{10}, uint64_t{20}, uint64_t{40}, uint64_t{50}, ~uint64_t{0}}) {
    CHECK(queue.front() == Ticket{static_cast<uint32_t>(deadline_ns % 1000), 1});
    CHECK(queue.front() == Ticket{static_cast<uint32_t>(deadline_ns % 1000), 1});
    queue.pop();
  }
  CHECK(!queue.front());
}

TEST_CASE("deadline queue: jobs with the same deadline are kept apart") {
  DeadlineQueue queue;
  queue.push(5, {1, 1});
  queue.push(5, {2, 1});
  queue.push(5, {1, 2});
  queue.erase(5, {1, 1});
  for (const Ticket left : {Ticket{1, 2}, Ticket{2, 1}}) {
    CHECK(queue.front() == left);
    queue.pop();
  }
  CHECK(!queue.front());
}

TEST_CASE(
    "deadline queue: erasing takes out that job only, and one that is not there costs nothing") {
  DeadlineQueue queue;
  queue.push(5, {1, 1});
  queue.push(6, {2, 1});
  queue.erase(6, {1, 1});
  queue.erase(5, {1, 9});
  CHECK(queue.front() == Ticket{1, 1});
  queue.erase(5, {1, 1});
  queue.erase(5, {1, 1});
  CHECK(queue.front() == Ticket{2, 1});
  queue.pop();
  CHECK(!queue.front());
}

}  // namespace ringmaster::master
