"""Route three questions with the bundled router: offline, without a key, in this process."""

from __future__ import annotations

from routesdk import Router

QUESTIONS = (
    "What is the capital of France?",
    "Who was awarded the Oceanography Society's Jerlov Award in 2018?",
    "A 2 kg block slides down a frictionless plane inclined at 30 degrees. How fast is it after 3 m?",
)


def main() -> None:
    router = Router.from_pretrained("default")
    for decision, question in zip(router.route_batch(QUESTIONS), QUESTIONS, strict=True):
        print(question)
        print(f"  policy         {decision.policy} (confidence {decision.confidence:.2f})")
        print(f"  model          {decision.model}")
        print(f"  expected gain  {decision.expected_gain:+.3f} of sending it to the large model")
        for notice in decision.notices:
            print(f"  notice         {notice}")

    # Another operating point for one call: half of such calls are meant for the large model.
    bolder = router.route(QUESTIONS[1], large_share=0.5)
    print(f"with large_share=0.5 the second goes to {bolder.model}")


if __name__ == "__main__":
    main()
