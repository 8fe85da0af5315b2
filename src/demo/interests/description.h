// The handler's description for clients: see ringmaster/handler.h. The example's result is the
// output of the model in conf/models for that history.
#pragma once

#define INTERESTS_CATEGORIES                                                                  \
  R"(["frontpage", "news", "tech", "local", "opinion", "on-air", "misc", "weather", )"        \
  R"("msn-news", "health", "living", "business", "msn-sports", "sports", "summary", "bbs", )" \
  R"("travel"])"

namespace ringmaster::interests {

inline constexpr const char* kDescription = R"({
  "summary": "Predicts the page that the user will see next.",
  "params": [
    {"name": "user_id", "summary": "Repeated in the result.", "schema": {"type": "integer"}},
    {"name": "events",
     "summary": "The pages that the user saw, oldest first; for methods that do not fetch them.",
     "schema": {
       "type": "array",
       "items": {
         "type": "object",
         "required": ["category"],
         "properties": {
           "category": {"enum": )" INTERESTS_CATEGORIES R"(},
           "ts": {"type": "number", "description": "Seconds since 1970; not used."}
         }
       }
     }}
  ],
  "paramStructure": "by-name",
  "result": {
    "name": "interests",
    "summary": "All categories, the likeliest first. The scores are probabilities: their sum is 1.",
    "schema": {
      "type": "object",
      "required": ["user_id", "interests"],
      "properties": {
        "user_id": {"type": "integer"},
        "interests": {
          "type": "array",
          "minItems": 17,
          "maxItems": 17,
          "items": {
            "type": "object",
            "required": ["category", "score"],
            "properties": {
              "category": {"enum": )" INTERESTS_CATEGORIES R"(},
              "score": {"type": "number", "minimum": 0, "maximum": 1}
            }
          }
        }
      }
    }
  },
  "examples": [
    {"name": "a sports fan",
     "params": [
       {"name": "user_id", "value": 7},
       {"name": "events", "value": [{"category": "sports", "ts": 1700000000}]}
     ],
     "result": {
       "name": "interests",
       "value": {
         "user_id": 7,
         "interests": [
           {"category": "sports", "score": 0.836545},
           {"category": "frontpage", "score": 0.02465065},
           {"category": "tech", "score": 0.021710683},
           {"category": "local", "score": 0.021226218},
           {"category": "news", "score": 0.020723725},
           {"category": "msn-sports", "score": 0.0175865},
           {"category": "on-air", "score": 0.0153371375},
           {"category": "business", "score": 0.011022749},
           {"category": "msn-news", "score": 0.009371995},
           {"category": "living", "score": 0.008710765},
           {"category": "weather", "score": 0.003941692},
           {"category": "health", "score": 0.0033862174},
           {"category": "opinion", "score": 0.0019530177},
           {"category": "summary", "score": 0.0015492009},
           {"category": "misc", "score": 0.00096302945},
           {"category": "travel", "score": 0.00073405885},
           {"category": "bbs", "score": 0.0005873266}
         ]
       }
     }}
  ]
})";

}  // namespace ringmaster::interests
