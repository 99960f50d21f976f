#pragma once

// What the programs of the walkthroughs share: choosing a section, drawing with gnuplot.

#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "tensor/excerpt.hpp"

struct Section {
  const char* name;
  const char* what;  // one line, for --help
  void (*run)();
};

/// Hands commands to gnuplot, whose SVG goes to our standard output.
inline void gnuplot(const std::string& commands, int width = 640, int height = 400) {
  std::fflush(stdout);
  std::FILE* pipe = popen("gnuplot", "w");
  if (pipe == nullptr) throw std::runtime_error("cannot start gnuplot");
  std::fprintf(pipe,
               "set terminal svg size %d,%d font 'Helvetica,Arial,sans-serif,14' noenhanced background rgb 'white'\n"
               "set border 3 linecolor rgb '#888888'\nset tics nomirror out scale 0.6 textcolor rgb '#444444'\n"
               "set grid linetype 1 linecolor rgb '#e6e6e6'\n%s\n",
               width, height, commands.c_str());
  if (pclose(pipe) != 0) throw std::runtime_error("gnuplot failed, or is not installed");
}

/// `program`: all sections; `program NAME...`: these; `program --svg NAME`, or `--dot NAME`, a figure.
/// Returns the exit status.
inline int walk(int argc, char** argv, const std::vector<Section>& sections, const std::vector<Section>& figures = {}) {
  const bool figure_wanted = argc == 3 && (std::strcmp(argv[1], "--svg") == 0 || std::strcmp(argv[1], "--dot") == 0);
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    std::printf("usage: %s [SECTION... | --svg FIGURE | --dot FIGURE]\nsections, all unless named:\n", argv[0]);
    for (const Section& s : sections) std::printf("  %-12s %s\n", s.name, s.what);
    for (const Section& f : figures) std::printf("figure %-12s %s\n", f.name, f.what);
    return 0;
  }
  std::vector<const Section*> chosen;
  if (argc == 1) {
    for (const Section& s : sections) chosen.push_back(&s);
  }
  for (int i = figure_wanted ? 2 : 1; i < argc; ++i) {
    const std::size_t before = chosen.size();
    for (const Section& s : figure_wanted ? figures : sections) {
      if (std::strcmp(s.name, argv[i]) == 0) chosen.push_back(&s);
    }
    if (chosen.size() == before)
      return std::fprintf(stderr, "no section or figure %s (see --help)\n", xtg::excerpt(argv[i]).c_str()), 2;
  }
  try {
    for (const Section* s : chosen) {
      if (chosen.size() > 1) std::printf("%s== %s: %s\n\n", s == chosen[0] ? "" : "\n", s->name, s->what);
      s->run();
    }
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "%s\n", error.what()), 1;
  }
  return 0;
}
