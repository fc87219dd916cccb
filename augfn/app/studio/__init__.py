"""A local page to look at images and volumes, build a pipeline and see what it does: `augfn studio`.

The page is made with NiceGUI, since it keeps the state of each browser tab in Python, beside the tensors, and runs with the
pillow that is pinned here, which gradio refuses (streamlit runs the whole script again at each move of a slider, and panel brings
bokeh for plots that are not needed).
"""
