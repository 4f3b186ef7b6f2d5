"""The agent that answers the telephone. Change the words and the tools below; nothing else is needed.

Talk to it without an account:   llcphone phone --agent agent.py
"""

import llcphone

# The model's instructions: its role, what it may do, how it speaks. With short prompts it answers sooner:
# `llcphone prompt --agent agent.py` shows how large this is, and what it costs.
INSTRUCTIONS = """\
You answer the telephone of Miller's Bakery. Be brief and friendly.
Never guess opening hours: ask the tool. If you do not know something, say so.
"""

# The name appears in the records of calls. Also possible: voice="marin".
agent = llcphone.Agent(INSTRUCTIONS, name="bakery")

# Lets the agent end the call itself, after its last word was heard.
agent.offer_hang_up()


# A tool is a function that the model may call. Its name, its docstring and the types of its arguments are
# what the model knows of it. Keep it quick: the caller waits. What blocks (a database, requests) belongs
# into `await trio.to_thread.run_sync(...)`. lean=True offers it from the first word on; without it, from the
# second turn on.
@agent.tool(lean=True)
async def opening_hours(day: str) -> str:
    """When the bakery is open.

    Args:
        day: the day of the week, in English, such as "sunday".
    """
    hours = {"sunday": "from 8 to 11"}
    return hours.get(day.strip().lower(), "from 6:30 to 18")
