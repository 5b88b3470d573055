#include "llm/engine/scheduler.h"

#include <algorithm>
#include <utility>

namespace ingot::llm {
namespace {

// A decoded token costs its tenant as much as two of a prompt: it reads the whole cache for one row.
constexpr int64_t kDecodeCharge = 2;
// Waiting sequences that one step looks at beyond those it admits.
constexpr int kSkipsMax = 64;

}  // namespace

Scheduler::Scheduler(KvPages& pages, const SchedulerOptions& options) : pages_(pages), options_(options) {
  INGOT_CHECK(options.sequences_max >= 1 && options.batch_tokens >= options.sequences_max && options.prefills_max >= 1);
}

void Scheduler::enter(Sequence& s) {
  INGOT_CHECK(s.state == Sequence::State::kNew && !s.tokens.empty());
  INGOT_CHECK(pages_for(s.length()) <= pages_.num_pages());
  queue_.enter(s);
  if (s.deadline) deadlines_.emplace(*s.deadline, &s);
}

void Scheduler::add(Sequence& s) {
  enter(s);
  s.state = Sequence::State::kWaiting;
  queue_.push(s);
}

void Scheduler::start(Sequence& s) {
  s.state = Sequence::State::kRunning;
  ++s.admissions;
  const auto at = std::ranges::upper_bound(running_, &s, [](auto* a, auto* b) { return a->before(*b); });
  running_.insert(at, &s);
}

void Scheduler::drop_pages(Sequence& s) {
  for (size_t i = s.published; i < s.keys.size(); ++i)
    if (const auto it = pending_.find(s.keys[i]); it != pending_.end() && it->second == &s) pending_.erase(it);
  // The tail first: it is evicted before what it builds on.
  while (!s.pages.empty()) {
    pages_.release(s.pages.back());
    s.pages.pop_back();
  }
  s.computed = 0;
  s.published = 0;
}

void Scheduler::remove(Sequence& s) {
  if (s.state == Sequence::State::kRunning)
    std::erase(running_, &s);
  else if (s.state == Sequence::State::kWaiting)
    queue_.erase(s);
  else
    return;
  drop_pages(s);
  s.state = Sequence::State::kEnded;
  queue_.leave(s);
  if (s.deadline) deadlines_.erase({*s.deadline, &s});
  std::erase_if(work_, [&](const Work& w) { return w.sequence == &s; });
}

std::vector<Sequence*> Scheduler::expired(EngineClock::time_point now) const {
  std::vector<Sequence*> out;
  for (const auto& [deadline, s] : deadlines_) {
    if (deadline > now) break;
    out.push_back(s);
  }
  return out;
}

size_t Scheduler::num_decoding() const {
  return static_cast<size_t>(std::ranges::count_if(running_, [](auto* s) { return s->remaining() == 1; }));
}

void Scheduler::preempt_last() {
  Sequence& s = *running_.back();
  running_.pop_back();
  std::erase_if(work_, [&](const Work& w) { return w.sequence == &s; });
  drop_pages(s);
  s.state = Sequence::State::kWaiting;
  ++s.preemptions;
  ++counts_.preemptions;
  queue_.put_back(s);
}

// Room for the sequence's next token. False: it had to give up its own pages.
bool Scheduler::grow(Sequence& s) {
  while (s.computed == static_cast<int64_t>(s.pages.size()) * pages_.page_tokens()) {
    if (pages_.num_free() > 0) {
      s.pages.push_back(*pages_.allocate());
      break;
    }
    INGOT_CHECK(running_.size() > 1);  // alone, every sequence fits
    const bool itself = running_.back() == &s;
    preempt_last();
    if (itself) return false;
  }
  return true;
}

void Scheduler::schedule_decodes() {
  // Preemption takes from the end, so what was scheduled here stays.
  for (size_t i = 0; i < running_.size(); ++i) {
    Sequence& s = *running_[i];
    if (s.remaining() != 1 || !grow(s)) continue;
    queue_.charge(s, kDecodeCharge);
    work_.push_back({&s, 1, true});
  }
}

void Scheduler::give(Sequence& s, int64_t tokens, int64_t& budget) {
  const bool limited = s.chunk_tokens_max != INT64_MAX;
  tokens = std::min({tokens, s.remaining(), s.chunk_tokens_max - (limited ? limited_tokens_ : 0), budget});
  if (tokens <= 0) return;
  if (limited) limited_tokens_ += tokens;
  budget -= tokens;
  work_.push_back({&s, tokens, tokens == s.remaining()});
}

void Scheduler::schedule_prompts(int64_t budget) {
  limited_tokens_ = 0;
  std::vector<Sequence*> prompts;
  for (Sequence* s : running_)
    if (s->remaining() > 1) prompts.push_back(s);
  if (prompts.empty()) return;
  // What the others leave belongs to the oldest, and half is its own.
  Sequence& oldest = *prompts.front();
  const auto others = std::span(prompts).subspan(1);
  std::ranges::stable_sort(others, {}, &Sequence::remaining);
  int64_t wanted = 0;
  for (const Sequence* s : others) wanted += std::min(s->remaining(), s->chunk_tokens_max);
  give(oldest, std::max((budget + 1) / 2, budget - wanted), budget);
  for (Sequence* s : others) give(*s, budget, budget);
}

std::span<const Work> Scheduler::step(int64_t prefill_tokens) {
  work_.clear();
  schedule_decodes();
  admit();
  // Prompts of one token count as decodes from their admission on.
  for (Sequence* s : running_)
    if (s->remaining() == 1 && std::ranges::find(work_, s, &Work::sequence) == work_.end())
      work_.push_back({s, 1, true});
  const int64_t left = options_.batch_tokens - static_cast<int64_t>(work_.size());
  schedule_prompts(std::min(std::max<int64_t>(prefill_tokens, 1), left));
  return work_;
}

void Scheduler::complete() {
  for (const Work& w : work_) {
    w.sequence->computed += w.count;
    if (options_.prefix_cache) publish(*w.sequence);
  }
  work_.clear();
}

void Scheduler::append(Sequence& s, int32_t token) {
  INGOT_CHECK(s.state == Sequence::State::kRunning && s.remaining() == 0);
  s.tokens.push_back(token);
}

void Scheduler::compute_keys(Sequence& s, size_t count) const {
  const auto size = static_cast<size_t>(pages_.page_tokens());
  while (s.keys.size() < count)
    s.keys.push_back(
        page_key(s.keys.empty() ? s.root : s.keys.back(), std::span(s.tokens).subspan(s.keys.size() * size, size)));
}

void Scheduler::publish(Sequence& s) {
  const auto size = static_cast<size_t>(pages_.page_tokens());
  const size_t full = static_cast<size_t>(s.computed) / size;
  compute_keys(s, full);
  for (; s.published < full; ++s.published) {
    const size_t i = s.published;
    const int32_t holder = pages_.publish(s.pages[i], s.keys[i], std::span(s.tokens).subspan(i * size, size));
    if (holder != s.pages[i]) {  // the same content, computed twice: one copy is enough
      pages_.retain(holder);
      pages_.release(s.pages[i]);
      s.pages[i] = holder;
    }
    if (const auto it = pending_.find(s.keys[i]); it != pending_.end() && it->second == &s) pending_.erase(it);
  }
}

// The last token is never taken from the cache: its logits are wanted.
Scheduler::Prefix Scheduler::find_prefix(Sequence& s) const {
  Prefix prefix;
  if (!options_.prefix_cache || !s.take_cached) return prefix;
  const auto size = static_cast<size_t>(pages_.page_tokens());
  const size_t full = (s.tokens.size() - 1) / size;
  compute_keys(s, full);
  for (size_t i = 0; i < full; ++i) {
    const auto page = pages_.find(s.keys[i], std::span(s.tokens).subspan(i * size, size));
    if (!page) {
      prefix.deferred = pending_.contains(s.keys[i]);
      break;
    }
    prefix.pages.push_back(*page);
  }
  return prefix;
}

// Preempts what runs at a worse priority, if that is what it takes and if it is enough.
bool Scheduler::make_room(const Sequence& s, int64_t fresh_pages) {
  size_t keep = running_.size();
  int64_t free = pages_.num_free();
  auto prompts = std::ranges::count_if(running_, [](auto* r) { return r->remaining() > 1; });
  // What decodes beside it will soon want a page each.
  const auto fits = [&] {
    return static_cast<int64_t>(keep) < options_.sequences_max && prompts < options_.prefills_max &&
           free >= fresh_pages + static_cast<int64_t>(keep);
  };
  while (!fits()) {
    if (keep == 0 || running_[keep - 1]->priority <= s.priority) return false;
    const Sequence& victim = *running_[--keep];
    prompts -= victim.remaining() > 1;
    free += std::ranges::count_if(victim.pages, [&](int32_t p) { return pages_.references(p) == 1; });
  }
  while (running_.size() > keep) preempt_last();
  return true;
}

FairQueue::Visit Scheduler::try_admit(Sequence& s) {
  Prefix prefix = find_prefix(s);
  if (prefix.deferred) return FairQueue::Visit::kSkip;
  const int64_t fresh = pages_for(s.length()) - static_cast<int64_t>(prefix.pages.size());
  for (int32_t p : prefix.pages) pages_.retain(p);  // before anything can evict them
  if (!make_room(s, fresh)) {
    while (!prefix.pages.empty()) {
      pages_.release(prefix.pages.back());
      prefix.pages.pop_back();
    }
    return FairQueue::Visit::kStop;
  }
  s.pages = std::move(prefix.pages);
  s.published = s.pages.size();
  s.computed = s.cached = static_cast<int64_t>(s.pages.size()) * pages_.page_tokens();
  for (int64_t i = 0; i < fresh; ++i) s.pages.push_back(*pages_.allocate());
  if (options_.prefix_cache) {
    if (s.admissions == 0) {  // one that was preempted finds its own pages
      counts_.prefix_queries_tokens += static_cast<uint64_t>(s.length());
      counts_.prefix_hits_tokens += static_cast<uint64_t>(s.cached);
    }
    const size_t full = s.tokens.size() / static_cast<size_t>(pages_.page_tokens());
    compute_keys(s, full);
    for (size_t i = s.published; i < full; ++i) pending_.try_emplace(s.keys[i], &s);
  }
  if (s.preemptions == 0) queue_.charge(s, s.remaining());
  start(s);
  return FairQueue::Visit::kTake;
}

void Scheduler::admit() {
  int skips = 0;
  queue_.visit([&](Sequence& s) {
    const auto said = try_admit(s);
    return said == FairQueue::Visit::kSkip && ++skips > kSkipsMax ? FairQueue::Visit::kStop : said;
  });
}

std::optional<PageCopy> Scheduler::fork(Sequence& parent, Sequence& child) {
  INGOT_CHECK(parent.state == Sequence::State::kRunning && parent.computed < child.length());
  const auto full = static_cast<size_t>(parent.computed / pages_.page_tokens());
  const bool partial = parent.computed % pages_.page_tokens() != 0;
  enter(child);
  if (static_cast<int64_t>(running_.size()) >= options_.sequences_max || pages_.num_free() < partial) {
    child.state = Sequence::State::kWaiting;
    queue_.put_back(child);
    return std::nullopt;
  }
  child.pages.assign(parent.pages.begin(), parent.pages.begin() + static_cast<int64_t>(full));
  for (int32_t p : child.pages) pages_.retain(p);
  child.keys.assign(parent.keys.begin(),
                    parent.keys.begin() + static_cast<int64_t>(std::min(full, parent.keys.size())));
  child.published = std::min(full, parent.published);
  child.computed = child.cached = parent.computed;
  std::optional<PageCopy> copy;
  if (partial) {
    child.pages.push_back(*pages_.allocate());
    copy = {parent.pages[full], child.pages.back()};
  }
  start(child);
  return copy;
}

Result<void> Scheduler::check() const {
  INGOT_TRY(pages_.check());
  std::vector<int32_t> references(static_cast<size_t>(pages_.num_pages()));
  int64_t held = 0;
  for (const Sequence* s : running_) {
    if (s->state != Sequence::State::kRunning || s->computed > s->length() ||
        pages_for(s->computed) > static_cast<int64_t>(s->pages.size()) ||
        static_cast<int64_t>(s->pages.size()) > pages_for(s->length()))
      return error(Code::kInternal, "[scheduler] sequence {}: {} of {} tokens computed in {} pages", s->id, s->computed,
                   s->length(), s->pages.size());
    for (int32_t p : s->pages) held += references[static_cast<size_t>(p)]++ == 0;
  }
  for (size_t p = 0; p < references.size(); ++p)
    if (references[p] != pages_.references(static_cast<int32_t>(p)))
      return error(Code::kInternal, "[scheduler] page {}: {} references, {} holders", p,
                   pages_.references(static_cast<int32_t>(p)), references[p]);
  if (held != pages_.num_used())
    return error(Code::kInternal, "[scheduler] {} pages are held, {} are in use", held, pages_.num_used());
  if (!std::ranges::is_sorted(running_, [](auto* a, auto* b) { return a->before(*b); }))
    return error(Code::kInternal, "[scheduler] what runs is out of order");
  for (const auto& [key, s] : pending_)
    if (s->state != Sequence::State::kRunning) return error(Code::kInternal, "[scheduler] nobody computes a page");
  return {};
}

}  // namespace ingot::llm
