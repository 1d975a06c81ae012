"""The report of a workflow as one page of HTML.

`gather` reads a cloud and makes a `report_data.ReportData`; `render` makes the page of it, section by section. All
markup goes through `markup`, which escapes whatever is not its own.
"""
