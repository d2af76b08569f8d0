"""The rules of tidy.py on small samples: each must fire on the bad one and stay silent on the good.

Run it with tests/tidy.py --self-test.
"""
import unittest

import tidy


def rules_broken(path: str, text: str) -> list[str]:
    source = tidy.Source(path, text)
    return [finding.rule for rule in tidy.RULES for finding in rule(source)]


def header(body: str) -> str:
    return f"// Purpose. Thread: any.\n#pragma once\n{body}"


class Rules(unittest.TestCase):
    def check(self, rule: str, path: str, bad: str, good: str):
        self.assertIn(rule, rules_broken(path, bad))
        self.assertEqual([], rules_broken(path, good))

    def test_layers(self):
        self.check("layer", "src/net/a.hpp", header('#include "http/message.hpp"\n'),
                   header('#include "base/bytes.hpp"\n'))
        self.check("layer", "proxy/a.hpp", header('#include "hub/app.hpp"\n'),
                   header('#include "conf/config.hpp"\n'))
        self.check("layer", "src/net/a.hpp", header('#include "conf/config.hpp"\n'),
                   header('#include "net/loop.hpp"\n'))
        self.check("layer", "hub/a.hpp", header('#include "server.hpp"\n'),
                   header('#include "hub/app.hpp"\n'))
        self.assertEqual([], rules_broken("src/a.hpp", header('#include "hub/app.hpp"\n')))

    def test_libraries(self):
        ssl = header("#include <openssl/ssl.h>\n")
        self.assertIn("library", rules_broken("hub/auth.hpp", ssl))
        self.assertEqual([], rules_broken("src/net/tls_stream.hpp", ssl))
        self.assertEqual([], rules_broken("tests/unit/net/certificates.hpp", ssl))
        asio = header("#include <boost/asio.hpp>\n")
        self.assertIn("library", rules_broken("src/net/a.hpp", asio))

    def test_banned_words(self):
        self.check("banned", "hub/a.cpp", "void f() { throw 1; }\n",
                   '// throw in a comment\nconst char* text = "throw";\n')
        self.assertIn("banned", rules_broken("proxy/a.hpp", header("std::function<void()> f;\n")))
        self.assertEqual([], rules_broken("conf/load.cpp", "void f() { throw 1; }\n"))

    def test_sizes(self):
        self.check("file_lines", "hub/a.cpp", "int a;\n" * 501, "int a;\n" * 500)
        self.check("file_lines", "tests/unit/hub/a_test.cpp", "int a;\n" * 801, "int a;\n" * 800)
        self.check("file_lines", "hub/a.hpp", header("int a;\n" * 199), header("int a;\n" * 198))
        self.check("wide_lines", "hub/a.cpp", "/" * 101 + "\n", "/" * 100 + "\n")

    def test_function_size(self):
        body = "int long_one(int a,\n             int b) {\n%s}\n"
        self.check("function_lines", "hub/a.cpp", body % ("  ++a;\n" * 68),
                   body % ("  ++a;\n" * 67))
        member = header("class A {\n public:\n  void f() {\n%s  }\n};\n")
        self.assertIn("function_lines", rules_broken("hub/a.hpp", member % ("    ++a;\n" * 70)))
        table = "constexpr std::array rows = {\n%s};\n" % ("    Row{1, f(2)},\n" * 90)
        self.assertEqual([], rules_broken("hub/a.cpp", table))

    def test_test_cases_may_hold_tables(self):
        case = 'TEST_CASE("a: b") {\n%s}\n'
        self.check("function_lines", "tests/unit/hub/a_test.cpp", case % ("  ++a;\n" * 149),
                   case % ("  ++a;\n" * 148))

    def test_function_names_and_lines(self):
        text = "namespace a {\nint b = f({1});\n\n// g {\nResult<> A::g(int x) noexcept {\n}\n}\n"
        found = list(tidy.functions_of(tidy.Source("hub/a.cpp", text)))
        self.assertEqual([("A::g", 5, 6)], found)

    def test_virtuals(self):
        many = header("class A {\n" + "  virtual void f() = 0;\n" * 7 + "};\n")
        few = header("class A {\n" + "  virtual void f() = 0;\n" * 6 + "  virtual ~A();\n};\n")
        self.check("virtuals", "hub/a.hpp", many, few)

    def test_headers(self):
        good = header("int a;\n")
        self.check("header", "hub/a.hpp", "#pragma once\n", good)
        self.check("header", "hub/a.hpp", "// Purpose.\nint a;\n", good)
        self.check("header", "hub/a.hpp", header("using namespace std;\n"), good)

    def test_own_header_first(self):
        self.check("own_header", "src/base/buffer.cpp",
                   '#include <new>\n\n#include "base/buffer.hpp"\n',
                   '#include "base/buffer.hpp"\n\n#include <new>\n')

    def test_words(self):
        word = "TO" + "DO"
        self.check("unfinished", "hub/a.cpp", f"// {word} later\n", f"// {word}(#12): later\n")
        self.check("sleep", "tests/unit/a_test.cpp", "void f() { usleep(1); }\n", "int a;\n")
        self.check("test_name", "tests/unit/a_test.cpp", 'TEST_CASE("works") {\n}\n',
                   'TEST_CASE("buffer: keeps order") {\n}\n')

    def test_whitespace(self):
        self.check("whitespace", "a.md", "text \n", "text\n")
        self.check("whitespace", "a.md", "text", "text\n")

    def test_lock_file(self):
        key = "reso" + "lved"
        self.check("lock_file", "x/package-lock.json", f'{{"{key}": "x"}}\n', '{"a": "x"}\n')


class Ratchet(unittest.TestCase):
    finding = tidy.Finding("file_lines", "hub/a.cpp", 1, "too long", 600)

    def test_a_listed_size_passes(self):
        problems, _ = tidy.apply_ratchet([self.finding], {"file_lines": {"hub/a.cpp": 600}})
        self.assertEqual([], problems)

    def test_growth_fails(self):
        problems, _ = tidy.apply_ratchet([self.finding], {"file_lines": {"hub/a.cpp": 599}})
        self.assertEqual(1, len(problems))

    def test_shrinking_must_be_recorded(self):
        ratchet = {"file_lines": {"hub/a.cpp": 601}}
        problems, shrunk = tidy.apply_ratchet([self.finding], ratchet)
        self.assertEqual(1, len(problems))
        self.assertEqual({"file_lines": {"hub/a.cpp": 600}}, shrunk)

    def test_what_has_no_size_cannot_be_listed(self):
        finding = tidy.Finding("banned", "hub/a.cpp", 1, "throw")
        problems, _ = tidy.apply_ratchet([finding], {"banned": {"hub/a.cpp": 1}})
        self.assertEqual(1, len(problems))


if __name__ == "__main__":
    unittest.main()
