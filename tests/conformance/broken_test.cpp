// SPDX-License-Identifier: BSL-1.0
#include "conformance/broken/believes_late_acknowledgements.hpp"
#include "conformance/broken/commits_without_the_epoch.hpp"
#include "conformance/broken/letters_without_versions.hpp"
#include "conformance/broken/remembers_beside.hpp"
#include "conformance/broken/sends_again_too_late.hpp"
#include "conformance/broken/undoes_too_much.hpp"
#include "support/test.hpp"

#include <sinew/testing/conformance/dead_letters.hpp>
#include <sinew/testing/conformance/queue_source.hpp>
#include <sinew/testing/conformance/sink.hpp>
#include <sinew/testing/conformance/source.hpp>
#include <sinew/testing/conformance/store.hpp>

#include <string>

using namespace sinew::test;

namespace {

constexpr store_features whole_store{.connections = true,
                                     .nested = true,
                                     .inbox = true,
                                     .progress = true,
                                     .offsets = true,
                                     .consumer = true};

}  // namespace

TEST_CASE("broken: a source that commits under an ended epoch breaks what is said of commits") {
    const auto table =
        source_claims("broken::commits_without_the_epoch", fresh<broken::commits_without_the_epoch>,
                      {.offsets = true, .groups = true, .any_bytes = true});
    REQUIRE(table.brief() == R"(source: broken::commits_without_the_epoch
  BROKEN       source 5                     a commit after the release changes nothing and answers aborted
      expected  the answer to be aborted
      came      committed
      look at   commit: it has to look at the epoch, and in the broker, not only here
  BROKEN       source 5                     a commit under an epoch that never was changes nothing
      expected  the answer to be aborted
      came      committed
      look at   commit: the epoch that it is given, not the one that it has
  BROKEN       source 5                     a member that was taken for dead commits nothing any more
      expected  the answer to be aborted
      came      committed
      look at   commit: whether the broker, not only the member, looks at the epoch
  BROKEN       source 6                     a partition that is not released in time is lost
      expected  the answer of a commit after it to be aborted
      came      committed
      look at   the end of the revocation: who takes the partition away, and tells
  BROKEN       reference                    random histories end as in the in-memory reference
      expected  the reference's answer: aborted
      came      committed
      look at   the shortest history that differs: append(b); drain; release and commit(b)
  24 kept, 5 broken, 0 not claimed
)");
}

TEST_CASE("broken: a store that undoes a part by undoing all breaks what is said of parts") {
    const auto table =
        store_claims("broken::undoes_too_much", fresh<broken::undoes_too_much>, whole_store);
    REQUIRE(table.brief() == R"(store: broken::undoes_too_much
  BROKEN       nestable_transaction 1       undoing a part leaves what stood before it
      expected  what stood before the part to be "1"
      came      nothing
      look at   undo_nested: it must go back to the savepoint, not to the beginning
  BROKEN       nestable_transaction 1       undoing a part undoes all that it did
      expected  an own value, overwritten twice to be "1"
      came      nothing
      look at   undo_nested: added, overwritten and twice overwritten values
  BROKEN       nestable_transaction 1       one part after another is kept or undone by itself
      expected  part 0 to be "1"
      came      nothing
      look at   whether a savepoint is released when its part ends
  BROKEN       nestable_transaction 1       what an undone part remembered was never there
      expected  the event before it, new to be false
      came      true
      look at   whether the inbox is written within the savepoint
  BROKEN       nestable_transaction 1       progress that an undone part wrote was never written
      expected  the progress to be next 2
      came      an unknown progress
      look at   whether progress is written within the savepoint
  BROKEN       reference                    random histories end as in the in-memory reference
      expected  the reference's answer: next 3
      came      an unknown progress
      look at   the shortest history that differs: set_progress(c, 2); nest; undo_nested; progress(c)
  35 kept, 6 broken, 1 not claimed
)");
}

TEST_CASE("broken: an inbox beside the transaction remembers what was rolled back") {
    const auto table =
        store_claims("broken::remembers_beside", fresh<broken::remembers_beside>, whole_store);
    REQUIRE(table.brief() == R"(store: broken::remembers_beside
  BROKEN       inbox_transaction 1          an event that was rolled back was never there
      expected  the answer after the rollback to be true
      came      false
      look at   whether the inbox is written in the transaction, not beside it
  BROKEN       nestable_transaction 1       what an undone part remembered was never there
      expected  the event of the part, new to be true
      came      false
      look at   whether the inbox is written within the savepoint
  BROKEN       reference                    random histories end as in the in-memory reference
      expected  the reference's answer: true
      came      false
      look at   the shortest history that differs: remember(a, 0); rollback; remember(a, 0)
  38 kept, 3 broken, 1 not claimed
)");
}

TEST_CASE("broken: a sink that sends again too late breaks the order of a key, and nothing else") {
    const auto table = sink_claims("broken::sends_again_too_late",
                                   fresh<broken::sends_again_too_late>, {.any_bytes = true});
    REQUIRE(table.brief() == R"(sink: broken::sends_again_too_late
  BROKEN       sink 3                       events of one key are read in the order in which they were accepted
      expected  the events of key "k1" to have "19" after 6 others
      came      "20"
      look at   the choice of the partition, and how many sends of a key are in flight
  6 kept, 1 broken, 2 not claimed
)");
}

TEST_CASE("broken: a queue source without answers takes a lost lease for an acknowledgement") {
    const auto table =
        queue_source_claims("broken::believes_late_acknowledgements",
                            fresh<broken::believes_late_acknowledgements>, {.any_bytes = true});
    REQUIRE(table.brief() == R"(queue_source: broken::believes_late_acknowledgements
  BROKEN       queue_source 3               acknowledging after the lease has ended answers aborted
      expected  the answer to be aborted
      came      committed
      look at   whether acknowledge looks if the message is still this receiver's
  BROKEN       queue_source 3               a late acknowledgement does not take the message from whoever has it now
      expected  the answer to the late one to be aborted
      came      committed
      look at   the receipt: it names a delivery, not a message
  BROKEN       queue_source 4               whoever gave a message back cannot acknowledge it any more
      expected  the answer to who gave it back to be aborted
      came      committed
      look at   whether giving back ends the lease
  12 kept, 3 broken, 3 not claimed
)");
}

TEST_CASE(
    "broken: dead letters without headers and versions are not whole, and the last move wins") {
    const auto table =
        dead_letters_claims("broken::letters_without_versions",
                            fresh<broken::letters_without_versions>, {.store = true});
    REQUIRE(table.brief() == R"(dead letters: broken::letters_without_versions
  BROKEN       dead_letter_record           a letter comes back bit for bit, whatever its bytes
      expected  the original of letter "headers" as it was
      came      the number of headers 5 became 0
      look at   headers (order, names that come twice, empty values), NUL bytes, long values
  BROKEN       dead_letter_store 2          a move under another version changes nothing
      expected  the answer of a move under version 1 when it is 2 to be false
      came      true
      look at   move: a condition on the version, in the same statement as the change
  BROKEN       reference                    random histories end as in the in-memory reference
      expected  the reference's answer: false
      came      true
      look at   the shortest history that differs: put(a, 0); discard under an old version(a, 0)
  14 kept, 3 broken, 4 not claimed
)");
}
