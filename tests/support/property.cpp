// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <iostream>
#include <sstream>

namespace sinew::test {

void report(const std::string& description, const rc::detail::TestResult& result) {
    std::ostringstream message;
    message << description << '\n';
    rc::detail::printResultMessage(result, message);

    if (!result.is<rc::detail::SuccessResult>()) {
        FAIL(message.str());
    }
    if (!result.get<rc::detail::SuccessResult>().distribution.empty()) {
        std::cout << "- " << message.str() << "\n\n";
    }
    SUCCEED(message.str());
}

}  // namespace sinew::test
