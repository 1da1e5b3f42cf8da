// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/processes_undo.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: a saga whose first step cannot be undone is parked") {
    sinew::laws::prove("undo_fails_at_reserve", sinew::laws::undo_fails_at_reserve);
    sinew::laws::try_at_random(sinew::laws::undo_fails_at_reserve);
}

TEST_CASE("laws: a saga whose second step cannot be undone is parked, and nothing more is undone") {
    sinew::laws::prove("undo_fails_at_charge", sinew::laws::undo_fails_at_charge);
    sinew::laws::try_at_random(sinew::laws::undo_fails_at_charge);
}

TEST_CASE("laws: a saga whose third step cannot be undone is parked, and nothing more is undone") {
    sinew::laws::prove("undo_fails_at_points", sinew::laws::undo_fails_at_points);
    sinew::laws::try_at_random(sinew::laws::undo_fails_at_points);
}

TEST_CASE("laws: the others are undone though the first step is not") {
    sinew::laws::prove("undo_fails_at_reserve_others_go_on",
                       sinew::laws::undo_fails_at_reserve_others_go_on);
    sinew::laws::try_at_random(sinew::laws::undo_fails_at_reserve_others_go_on);
}

TEST_CASE("laws: the others are undone though the second step is not") {
    sinew::laws::prove("undo_fails_at_charge_others_go_on",
                       sinew::laws::undo_fails_at_charge_others_go_on);
    sinew::laws::try_at_random(sinew::laws::undo_fails_at_charge_others_go_on);
}

TEST_CASE("laws: the others are undone though the third step is not") {
    sinew::laws::prove("undo_fails_at_points_others_go_on",
                       sinew::laws::undo_fails_at_points_others_go_on);
    sinew::laws::try_at_random(sinew::laws::undo_fails_at_points_others_go_on);
}

TEST_CASE("laws: what people have undone by hand is not undone again") {
    sinew::laws::prove("undo_is_skipped", sinew::laws::undo_is_skipped);
    sinew::laws::try_at_random(sinew::laws::undo_is_skipped);
}

TEST_CASE("laws: what is abandoned stays as it is") {
    sinew::laws::prove("abandoned", sinew::laws::abandoned);
    sinew::laws::try_at_random(sinew::laws::abandoned);
}
