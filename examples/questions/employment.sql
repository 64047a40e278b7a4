-- Who lives in each local authority and is in employment
SELECT lad_res AS area, count(*) AS people,
       round(100 * count(*) FILTER (WHERE economic_activity = 'In employment') / count(*), 1) AS employed_percent
FROM people
WHERE period = 2025 AND combined_authority_res = 'Greater Manchester'
GROUP BY lad_res
ORDER BY area
